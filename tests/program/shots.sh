#!/usr/bin/env bash
# From rows to prompts: a bad row is found before anything starts; a row of the pool that reads like the item never stands
# among its shots; prompts that a pool does not have are not planned.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/model" gpt2
$python - "$tmp" <<'P' || fail "the inputs are made"
import json, sys
tmp = sys.argv[1]
def write(name, rows):
    with open(f"{tmp}/{name}.jsonl", "w") as f:
        for row in rows: f.write(json.dumps(row) + "\n")
good = [{"text": f"item {i}", "label": i % 2} for i in range(4)]
write("good", good)
for name, row in {"negative": {"text": "x", "label": -1}, "null": {"text": "x", "label": None}, "empty": {"text": "x", "label": ""},
                  "absent": {"label": 1}}.items():
    write("late-" + name, [good[i % 4] for i in range(200)] + [row])
rest = [{"text": "s1", "label": 1}, {"text": "s2", "label": 0}, {"text": "s3", "label": 1}]
write("idx", [{"text": "item 0", "label": 0, "idx": 9}] + rest)
write("order", [{"label": 0, "text": "item 0"}] + rest)
write("blank", [{"text": "Item   0 ", "label": "no"}] + rest)
write("two", rest[:2])
P
# task NAME TEST POOL, experiment NAME SHOTS DRAWS ORDERS
task() {
  printf 'task: t\ndataset_path: .\noutput_type: multiple_choice\ntest_split: %s.jsonl\nfewshot_split: %s.jsonl\ndoc_to_text: "Q: {{text|trim}}\\nA:"\ndoc_to_choice: ["no", "yes"]\ndoc_to_target: "{{label}}"\n' "$2" "$3" >"$tmp/$1.task.yaml"
}
experiment() {
  printf 'name: %s\nmodels: [%s/model]\ntasks: [%s.task.yaml]\narms: [{kind: prompt, shots: [%s], draws: %s, orders: %s}]\ncapture: {positions: []}\n' \
    "$1" "$tmp" "$1" "$2" "$3" "$4" >"$tmp/$1.yaml"
}
run() { "$PLUMB" run "$tmp/$1.yaml" --results "$tmp/$1" --device cpu --threads 1; }

for name in negative null empty absent; do
  task "late-$name" "late-$name" two
  experiment "late-$name" 0 1 1
  expect "row 200 of 201 is bad: $name" 2 "late-$name.jsonl:201: .*doc_id 200" run "late-$name"
  check "... and nothing was created" test ! -e "$tmp/late-$name"
done
task "late-pool" good late-negative
experiment late-pool 2 1 1
expect "the last row of the pool is bad" 2 'late-negative.jsonl:201: ' run late-pool

# No prompt of item 0 holds its own question but at the end.
own_question() {
  $python - "$1" <<'P'
import glob, json, sys
rows = [json.loads(l) for l in open(glob.glob(sys.argv[1] + "/*/samples_*.jsonl")[0])]
prompts = [r["arguments"]["gen_args_0"]["arg_0"].lower() for r in rows if r["doc_id"] == 0]
assert len(prompts) == 6, prompts
for p in prompts: assert p.count("item") == 1 and p.count("q:") == 3, p
P
}
for name in idx order blank; do
  task "$name" good "$name"
  experiment "$name" 2 6 1
  check "pool with the item ($name)" run "$name"
  check "... says so" grep -q "1 of 4 items stand in the pool" "$tmp/$name"/*/log.txt
  check "... and no shot gives the answer away" own_question "$tmp/$name"
done

# Two rows make two prompts of two shots: draws and orders beyond are not planned.
distinct() {
  $python - "$1" <<'P'
import glob, json, sys
rows = [json.loads(l) for l in open(glob.glob(sys.argv[1] + "/*/samples_*.jsonl")[0])]
prompts = [r["arguments"]["gen_args_0"]["arg_0"] for r in rows if r["doc_id"] == 0]
assert len(prompts) == 2 and len(set(prompts)) == 2, prompts
P
}
for asked in "5 1" "1 3" "2 2"; do
  name=two-${asked/ /-}
  task "$name" good two
  experiment "$name" 2 $asked
  check "draws and orders $asked of two rows" run "$name"
  check "... are two prompts" distinct "$tmp/$name"
done
exit $((failures > 0))
