#!/usr/bin/env bash
# Task files of lm-evaluation-harness as they are, and its other tasks by from_lm_eval.py, on synthetic rows: prompts, targets and metrics are
# the harness' own. Needs a Python with lm_eval (PLUMB_LM_EVAL, default python3); SKIP without.
source "$(dirname "$0")/lib.sh"
harness=${PLUMB_LM_EVAL:-python3}
if ! tasks=$("$harness" -c 'import importlib.util, os; print(os.path.join(importlib.util.find_spec("lm_eval").submodule_search_locations[0], "tasks"))' 2>/dev/null); then
  skip "lm-evaluation-harness: no Python with lm_eval; PLUMB_LM_EVAL names one"
  exit 0
fi
export HF_HUB_OFFLINE=1 HF_DATASETS_CACHE=$tmp/cache PLUMB_DATASETS=$tmp/sets
"$harness" tests/golden/task/lm_eval_rows.py "$tmp/sets"

scored=(glue/sst2/default glue/rte/default glue/qnli/default glue/cola/default glue/mrpc/default super_glue/boolq/default super_glue/rte/default
  super_glue/wic/default arc/arc_easy arc/arc_challenge piqa/piqa openbookqa/openbookqa sciq/sciq lambada/lambada_openai
  truthfulqa/truthfulqa_mc1 blimp/adjunct_island anli/anli_r1 headqa/headqa_en xnli/xnli_en commonsense_qa/default
  storycloze/storycloze_2016 swag/swag asdiv/default prost/corypaik_prost)
generated=(gsm8k/gsm8k triviaqa/default nq_open/nq_open)
by_python=(mnli cb copa wsc hellaswag truthfulqa_mc2 race logiqa medqa_4options mathqa pubmedqa toxigen winogrande webqs wikitext)

# run NAME READOUT SHOTS FILE...: a run over these task files, in $tmp/results/NAME-*.
run() {
  local name=$1 readout=$2 shots=$3 files
  shift 3
  files=$(printf '"%s", ' "$@")
  cat >"$tmp/$name.yaml" <<END
name: $name
models: ["$root/experiments/tiny/large"]
tasks: [${files%, }]
arms: [{kind: prompt, shots: $shots, draws: 3, readout: [$readout]}]
truncation: truncate_left
items: 6
END
  check "$name: $# task files run" "$PLUMB" run "$tmp/$name.yaml" --results "$tmp/results" --quiet
}

# compare NAME N: the run agrees with the harness, over N tasks and shot counts.
compare() {
  local name=$1
  if "$harness" -W ignore tests/program/harness.py "$tmp/results/$name"-* "$tmp/sets" >"$tmp/$name.out" 2>"$tmp/$name.err" &&
    [ "$(grep -c ' items$' "$tmp/$name.out")" = "$2" ]; then
    pass "$name: $2 tasks as the harness has them"
  else
    fail "$name: differs from the harness"; grep -v ' items$' "$tmp/$name.out" | head -5; tail -2 "$tmp/$name.err"
  fi
}

# paths TASK...: of task files in the harness' own folder.
paths() {
  for task in "$@"; do echo "$tasks/$task.yaml"; done
}

mapfile -t files < <(paths "${scored[@]}")
run scored loglikelihood '[0]' "${files[@]}"
compare scored ${#scored[@]}
mapfile -t files < <(paths "${generated[@]}")
run generated generate '[0]' "${files[@]}"
compare generated ${#generated[@]}
# Its shots are the first ones, in order, whatever is drawn: prompts with shots can be compared.
mapfile -t files < <(paths mmlu/default/mmlu_abstract_algebra)
run first loglikelihood '[0, 2, 5]' "${files[@]}"
compare first 3

"$harness" -W ignore experiments/data/from_lm_eval.py "${by_python[@]}" --out "$tmp/made" >"$tmp/made.out" 2>"$tmp/made.err"
files=("${by_python[@]/#/$tmp/made/}")
run made loglikelihood '[0]' "${files[@]/%/.yaml}"
compare made ${#by_python[@]}
"$harness" -W ignore tests/program/harness.py --convert coqa --out "$tmp/made" >>"$tmp/made.out" 2>>"$tmp/made.err"
run open generate '[0]' "$tmp/made/coqa.yaml"
compare open 1
expect "a task that holds Python says what to do" 2 'Python functions are not run' "$PLUMB" plan "$tmp/made.yaml" "tasks=[$tasks/race/race.yaml]"
[ $failures -eq 0 ]
