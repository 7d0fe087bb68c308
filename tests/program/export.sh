#!/usr/bin/env bash
# plumb export --lm-eval: files that a reader without plumb, and lm-evaluation-harness' own functions and tasks, take for the harness'. The second
# part needs a Python with lm_eval (PLUMB_LM_EVAL, default python3); SKIP without.
source "$(dirname "$0")/lib.sh"
harness=${PLUMB_LM_EVAL:-python3}
arms='arms=[{kind: prompt, shots: [0, 4], draws: 2, orders: 2}, {kind: linear, n_train: [64], seeds: 1}]'

# Two models, one with a name of two parts; templates, draws, orders and an arm that learns.
check "a run to export" "$PLUMB" run experiments/demo.yaml --results "$tmp/results" --quiet items=12 "$arms" templates.id=[colon] \
  templates.dev=[arrow_words] templates.ood=[ood_item] 'models=[{path: tiny/small, name: org/small}, {path: tiny/large, name: large}]'
run=$(echo "$tmp"/results/demo-*)
check "it is exported" "$PLUMB" export --lm-eval "$run" "$tmp/out"
if python3 tests/program/export.py "$tmp/out" "$run" >"$tmp/read.out" 2>&1 && [ "$(grep -c ' tasks, ' "$tmp/read.out")" = 2 ]; then
  pass "numbers, hashes and names by a reader: $(paste -sd';' "$tmp/read.out")"
else
  fail "a reader finds other numbers"; tail -3 "$tmp/read.out"
fi
cp -r "$tmp/out" "$tmp/before"
check "it is exported again" "$PLUMB" export --lm-eval "$run" "$tmp/out"
check "the same bytes" diff -r "$tmp/out" "$tmp/before"
# The reader can fail: an answer turned round, a number changed.
file=$(find "$tmp/out/large" -name 'samples_tiny_living.colon.0shot.draw0_*')
sed -i '1s/"acc":1.0/"acc":0.0/;t;1s/"acc":0.0/"acc":1.0/' "$file"
if python3 tests/program/export.py "$tmp/out" "$run" >/dev/null 2>&1; then fail "a changed sample is seen"; else pass "a changed sample is seen"; fi
# A name that no file can have is said before anything is written.
long=$(printf 'x%.0s' {1..128})
cat >"$tmp/long.yaml" <<END
task: $long
test_split: long.jsonl
output_type: multiple_choice
doc_to_text: "{{ a }} :"
doc_to_target: 0
doc_to_choice: [" dax", " wug"]
plumb: {templates: [{name: ${long:0:60}, role: ood, doc_to_text: "{{ a }} ->"}]}
END
echo '{"a": " big dog"}' >"$tmp/long.jsonl"
check "a run with long names" "$PLUMB" run experiments/demo.yaml --results "$tmp/long" --quiet "tasks=[\"$tmp/long.yaml\"]" "templates={ood: [${long:0:60}]}" \
  items=1 'models=[{path: tiny/small, name: a}, {path: tiny/large, name: b}]' "arms=[{kind: prompt, shots: [0], name: ${long:0:40}}]"
expect "a name that is too long" 2 'a name of [0-9]+ bytes, and a file.s has 255 at most' "$PLUMB" export --lm-eval "$(echo "$tmp"/long/demo-*)" "$tmp/none"
if [ -e "$tmp/none" ]; then fail "something was written"; else pass "nothing was written"; fi
expect "without a form" 2 'say which form: --lm-eval' "$PLUMB" export "$run" "$tmp/out"
expect "no run" 2 'none' "$PLUMB" export --lm-eval "$tmp/none" "$tmp/out"

if ! tasks=$("$harness" -c 'import importlib.util, os; print(os.path.join(importlib.util.find_spec("lm_eval").submodule_search_locations[0], "tasks"))' 2>/dev/null); then
  skip "lm-evaluation-harness: no Python with lm_eval; PLUMB_LM_EVAL names one"
  exit $((failures != 0))
fi
export HF_HUB_OFFLINE=1 HF_DATASETS_CACHE=$tmp/cache PLUMB_DATASETS=$tmp/sets
"$harness" tests/golden/task/lm_eval_rows.py "$tmp/sets"
# acc and acc_norm; mcc; f1; perplexity of the target; exact_match with a filter and with several right answers.
for readout in loglikelihood generate; do
  case $readout in
    loglikelihood) names=(glue/sst2/default arc/arc_easy glue/cola/default glue/mrpc/default lambada/lambada_openai) ;;
    generate) names=(gsm8k/gsm8k triviaqa/default) ;;
  esac
  files=$(printf "\"$tasks/%s.yaml\", " "${names[@]}")
  cat >"$tmp/$readout.yaml" <<EOF
name: $readout
models: ["$root/experiments/tiny/large"]
tasks: [${files%, }]
arms: [{kind: prompt, shots: [0], readout: [$readout]}]
truncation: truncate_left
EOF
  check "$readout: task files of the harness run" "$PLUMB" run "$tmp/$readout.yaml" --results "$tmp/results" --quiet
  check "$readout: exported" "$PLUMB" export --lm-eval "$tmp/results/$readout"-* "$tmp/$readout"
  if "$harness" -W ignore tests/program/export.py --harness "$tmp/$readout" "$tmp/sets" >"$tmp/$readout.out" 2>"$tmp/$readout.err" &&
    [ "$(grep -c ' samples as the harness has them' "$tmp/$readout.out")" = ${#names[@]} ]; then
    pass "$readout: ${#names[@]} tasks as the harness has them ($(sed -n 's/.*them: //p' "$tmp/$readout.out" | sort -u | paste -sd';'))"
  else
    fail "$readout: differs from the harness"; grep -v ' samples as the harness' "$tmp/$readout.out" | head -3; tail -3 "$tmp/$readout.err"
  fi
done
check "a reader of these too" python3 tests/program/export.py "$tmp/loglikelihood" "$tmp"/results/loglikelihood-*
check "and of generated answers" python3 tests/program/export.py "$tmp/generate" "$tmp"/results/generate-*
[ $failures -eq 0 ]
