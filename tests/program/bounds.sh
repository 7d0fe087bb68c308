#!/usr/bin/env bash
# Bounds that no input passes: units of an experiment, texts that grow.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
for i in $(seq 400); do echo "{\"text\": \"film $i\", \"label\": $((i % 2))}"; done >"$tmp/data.jsonl"
cat >"$tmp/task.yaml" <<'Y'
task: t
training_split: data.jsonl
test_split: data.jsonl
doc_to_text: "Review: {{ text }}\nSentiment:"
doc_to_target: label
doc_to_choice: [negative, positive]
output_type: multiple_choice
Y
# experiment SHOTS DRAWS ORDERS
experiment() {
  printf 'name: bounds\nmodels: [%s]\ntasks: [task.yaml]\narms: [{kind: prompt, shots: [%s], draws: %s, orders: %s}]\nitems: 1\n' \
    "$tmp/gpt2" "$@" >"$tmp/exp.yaml"
}
# The limit is on memory: how long it takes depends on who else is at work here.
limited() { (ulimit -v 1000000; exec "$@"); }

experiment 4 10000 10
limited "$PLUMB" plan "$tmp/exp.yaml" --threads 1 >"$tmp/plan.out"
check "100,000 units are planned within 1 GB" grep -qE '^all +(99[0-9]{3}|100000) ' "$tmp/plan.out"
experiment 20 10000 10000
expect "100,000,000 are refused" 2 'exp.yaml: up to 100000000 units' limited "$PLUMB" run "$tmp/exp.yaml" --results "$tmp/results"
check "before a folder is made" test ! -e "$tmp/results"
exit $failures
