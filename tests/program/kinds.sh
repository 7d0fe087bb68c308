#!/usr/bin/env bash
# Kinds of tasks and metrics against lm-evaluation-harness: what it asked of tests/golden/kinds/tasks, got and made of it, on two
# tokenizers, is committed (expected.json); kinds.py compares, and finds what is wrong when a value is changed.
source "$(dirname "$0")/lib.sh"
golden=$root/tests/golden/kinds
with_shots=() without=()
for file in "$golden"/tasks/*.yaml; do
  if grep -qE 'fewshot_split|include' "$file"; then with_shots+=("$file"); else without+=("$file"); fi
done

# run NAME SHOTS FILE...: a run of both models over these task files.
run() {
  local name=$1 shots=$2 files
  shift 2
  files=$(printf '"%s", ' "$@")
  cat >"$tmp/$name.yaml" <<END
name: $name
models: ["$golden/gpt2", "$golden/llama2"]
tasks: [${files%, }]
arms: [{kind: prompt, shots: $shots, draws: 1, readout: [$readout]}]
truncation: truncate_left
END
  check "$name: $# task files run" "$PLUMB" run "$tmp/$name.yaml" --results "$tmp/results" --quiet
}

answers=("$golden"/tasks/answers.yaml)
readout=loglikelihood
scored=()
for file in "${with_shots[@]}"; do [ "$file" = "${answers[0]}" ] || scored+=("$file"); done
run shots '[0, 2]' "${scored[@]}"
run alone '[0]' "${without[@]}"
readout=generate run generated '[0, 2]' "${answers[@]}"
expected=$($python -c 'import json, sys; print(sum(len(c) for c in json.load(open(sys.argv[1])).values()))' "$golden/expected.json")
if $python tests/program/kinds.py "$golden/expected.json" "$tmp"/results/*/ >"$tmp/kinds.out" 2>&1 &&
  [ "$(grep -c ' items$' "$tmp/kinds.out")" = "$expected" ]; then
  pass "$expected cells as the harness has them"
  if [ "$(grep -c ': intervals of 3 metrics$' "$tmp/kinds.out")" = 2 ]; then pass "intervals of texts"; else fail "no intervals of texts"; fi
else
  fail "cells differ from the harness"; grep -v ' items$' "$tmp/kinds.out" | head -5
fi

# planted NAME EXPRESSION: kinds.py finds that a value of the harness was changed.
planted() {
  $python - "$golden/expected.json" "$tmp/changed.json" "$2" <<'END'
import json, sys
cases = json.load(open(sys.argv[1]))
of = {(m, c["task"], c["k"]): c for m, list_ in cases.items() for c in list_}
exec(sys.argv[3])
json.dump(cases, open(sys.argv[2], "w"))
END
  if $python tests/program/kinds.py "$tmp/changed.json" "$tmp"/results/*/ >"$tmp/kinds.out" 2>&1; then
    fail "not found: $1"
  else
    pass "found: $1"
  fi
}
planted "a window's log-likelihood" 'of["gpt2", "rolling", 0]["samples"][5]["resps"][0] *= 1 + 1e-4'
planted "a word more" 'of["gpt2", "rolling", 0]["metrics"]["word_perplexity,none"] *= 1 + 1e-4'
planted "a context" 'of["llama2", "contexts", 2]["samples"][0]["arguments"][1][0] += " "'
planted "a choice without context" 'of["llama2", "mutual", 0]["samples"][0]["resps"][4][0] += 1e-3'
planted "what is greedy" 'of["gpt2", "rights", 0]["samples"][0]["resps"][0][1] ^= True'
planted "a metric" 'of["gpt2", "mutual", 2]["metrics"]["acc_mutual_info,none"] += 0.1'
planted "an answer" 'of["gpt2", "answers", 0]["samples"][0]["resps"][0] += "x"'

# As the harness itself would have left them: kinds beside one another, several draws.
check "draws run" "$PLUMB" run "$tmp/shots.yaml" --results "$tmp/draws" --quiet 'arms=[{kind: prompt, shots: [0, 2], draws: 2}]'
for folder in "$tmp"/results/alone-* "$tmp"/draws/shots-*; do
  check "$(basename "${folder%-*}"): exported" "$PLUMB" export --lm-eval "$folder" "$tmp/exported/$(basename "$folder")"
  if python3 tests/program/export.py "$tmp/exported/$(basename "$folder")" "$folder" >"$tmp/read.out" 2>&1 && [ "$(grep -c ' tasks, ' "$tmp/read.out")" = 2 ]; then
    pass "numbers by a reader: $(paste -sd';' "$tmp/read.out")"
  else
    fail "a reader finds other numbers"; tail -3 "$tmp/read.out"
  fi
done

# What a kind does not allow is one line.
expect "texts have no shots" 2 'loglikelihood_rolling, texts that are scored by themselves: expected kind: prompt, shots: \[0\]' \
  "$PLUMB" plan "$tmp/alone.yaml" "arms.0.shots=[1]" "tasks=[$golden/tasks/rolling.yaml]"
expect "texts have no chat" 2 'chat: task rolling is loglikelihood_rolling, texts that are scored by themselves' \
  "$PLUMB" plan "$tmp/alone.yaml" 'chat={system: be brief}' "tasks=[$golden/tasks/rolling.yaml]"
expect "contexts have no answers" 2 'each choice is a context of its own' "$PLUMB" plan "$tmp/shots.yaml" "arms.0.readout=[generate]"
expect "texts have no accuracy" 2 "task 'rolling' is loglikelihood_rolling and has no accuracy" "$PLUMB" plan "$tmp/alone.yaml" \
  'primary={task: rolling, arm: {kind: prompt, shots: 0}, minus: best_prompt, metric: acc, templates: id}'
"$PLUMB" analyze "$tmp"/results/alone-* --full >"$tmp/full.out" 2>&1
if grep -q 'perplexity .* a word, .* a byte, ' "$tmp/full.out"; then pass "perplexities are on the screen"; else fail "no perplexities on the screen"; fi
if grep -qE ',rolling,.*,(acc|flip_rate|majority),' "$tmp"/results/alone-*/stability.csv; then
  fail "texts have accuracies"
else
  pass "texts have no accuracies"
fi
[ $failures -eq 0 ]
