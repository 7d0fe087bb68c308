#!/usr/bin/env bash
# A staged run: arms in the order of their cost, as far as they are needed, for each task by itself; the same in one process,
# several, shards, and killed between stages. The large tiny model reaches .98 with 8 shots on `living`, .8 on `order`.
source "$(dirname "$0")/lib.sh"
killer=$(find "$PLUMB_BUILD" -name 'libkill_shim.so' | head -1)
words=(experiments/demo.yaml "models=[{path: tiny/large, name: large}]" capture.positions=[]
  "templates={id: [colon], dev: [arrow], ood: [ood_group, ood_item, ood_question, ood_long]}"
  'arms=[{kind: finetune, head: lm, n_train: 32, seeds: 1, train_templates: [colon], learning_rate: 1.0e-3, num_train_epochs: 1}, {kind: prompt, shots: [0, 8], draws: 3}, {kind: linear, n_train: 64, seeds: 3}]')
enough=(staged=true "verdict={require: 0.65, template_sd_max: 0.5}" 'primary={task: tiny_living, arm: {kind: finetune}, minus: best_prompt, metric: acc, templates: ood}')
never=(staged=true "verdict={require: 1, template_sd_max: 0.5}")
keeps() { cp "$tmp/check.out" "$tmp/kept.out"; check "$1" grep -qE -e "$2" "$tmp/kept.out"; } # NAME REGEX: the last check printed it
run() { "$PLUMB" run "${words[@]}" --device cpu --threads 1 --results "$@"; }
expect "staged without what is enough" 2 'staged: expected the accuracy that is enough, found none' run "$tmp/x" staged=true
expect "... nor beside a margin" 2 'expected the accuracy that is enough' run "$tmp/x" staged=true 'verdict={margin: 0.1}'
expect "an SD that is none" 2 'template_sd_max: expected a share above 0' run "$tmp/x" staged=true 'verdict={require: 0.8, template_sd_max: 0}'

check "plan" "$PLUMB" plan "${words[@]}" "${enough[@]}" --results "$tmp/one"
keeps "plan: the stages and their shares" '^staged: prompt 48 units, .* %.*; then linear 42 units, .*; then finetune 14 units'
check "plan: as JSON" bash -c '"$@" --json | python3 -c "import json, sys; s = json.load(sys.stdin)[\"stages\"]; assert [x[\"stage\"] for x in s] == [\"prompt\", \"linear\", \"finetune\"] and abs(sum(x[\"share\"] for x in s) - 1) < 1e-9"' - "$PLUMB" plan "${words[@]}" "${enough[@]}"
check "plan: too few wordings to stop" "$PLUMB" plan "${words[@]}" "${enough[@]}" templates.ood='[ood_group, ood_item, ood_long]'
keeps "... is said" '^note: task tiny_living: staged, with 3 ood wordings: below 4 '

# `living` is enough prompted, `order` with a linear readout: neither is tuned, though finetune stands first in the file.
check "stops where it is enough" run "$tmp/one" "${enough[@]}"
cp "$tmp/check.out" "$tmp/one.out"
one=$(run_of "$tmp/one")
look() { grep -qE "look: large, $1, loglikelihood after $2: accuracy 0\.[0-9]+, at least 0\.[0-9]+ of 0\.650 required; template SD .* of 0\.500 allowed .*: $3" "$tmp/one.out"; }
check "a line a look: living" look tiny_living prompt 'enough'
check "a line a look: order goes on" look tiny_order prompt 'goes on with linear'
check "a line a look: order stops" look tiny_order linear 'enough'
check "three looks are kept" test "$(ls "$one"/looks | wc -l)" -eq 3
check "the rest was not computed" grep -q '104 units: 69 computed, 0 there already, 0 adopted from other runs, 35 not needed' "$tmp/one.out"
check "it is done" test -e "$one/DONE"
check "status knows" bash -c '"$1" status "$2" >"$3" && grep -q "69 of 104 units done, 0 failed, 0 left, 35 not needed; analysed" "$3" && grep -q "^done" "$3"' - "$PLUMB" "$one" "$tmp/status"
check "verdict and files" $python - "$one" <<'P'
import csv, json, sys
run = sys.argv[1]
rows = {row["task"]: row for row in csv.DictReader(open(run + "/verdict.csv"))}
looks = {(l["task"], l["stage"]): l for l in (json.load(open(f"{run}/looks/0.{t}.loglikelihood.{s}.json")) for t, s in ((0, "prompt"), (1, "prompt"), (1, "linear")))}
for task, stage in (("tiny_living", "prompt"), ("tiny_order", "linear")):
    row, look = rows[task], looks[task, stage]
    assert row["verdict"] == "PROMPT" and row["stopped_after"] == stage and row["tuned_arm"] == "" and row["why"] == "", row
    assert look["enough"] and look["looks"] == 3 and look["rows"] == 2 and abs(look["tail"] - .05 / 6) < 1e-15
    for column, key in (("prompt_accuracy", "accuracy"), ("look_accuracy_lo", "accuracy_lo"), ("look_template_sd_hi", "template_sd_hi"), ("look_tail", "tail")):
        assert abs(float(row[column]) - look[key]) < 1e-6, (column, row[column], look[key])
    assert row["tuned_lo"] == row["lo"] == row["hi"] == "" and row["generalises"] == "items, templates, draws", row
    assert row["prompt_arm"] == look["arm"] and float(row["p_adjusted"]) <= .05 and float(row["look_accuracy_lo"]) >= .65
assert not looks["tiny_order", "prompt"]["enough"]
primary = next(row for row in csv.DictReader(open(run + "/contrasts.csv")) if row["kind"] == "primary")
assert "a look was enough, and later arms were not run" in primary["why_empty"], primary
results = json.load(open(run + "/results.json"))
assert not any("finetune" in name for name in results["results"]), list(results["results"])
P
check "analyze says it" bash -c '"$1" analyze "$2" >"$3" 2>"$4" && grep -q "^  PROMPT: enough; tuning was not tried" "$3" && "$1" analyze "$2" --full 2>/dev/null | grep -q "tiny_living, loglikelihood: PROMPT: enough; tuning was not tried" && ! grep -q incomplete "$4"' - "$PLUMB" "$one" "$tmp/a.out" "$tmp/a.err"
check "again: nothing is left to do" run "$tmp/one" "${enough[@]}" --quiet
keeps "... and it says so" '104 units: 0 computed, 69 there already, 0 adopted from other runs, 35 not needed'

check "report says it" bash -c '"$1" report "$2" >/dev/null && grep -q "enough, and tuning was not tried" "$2/report.html" && grep -q "a look after stage prompt was enough" "$2/report.html"' - "$PLUMB" "$one"

# A requirement that is never reached: all arms run, and what the first run has is adopted. Not staged: the same units.
check "never enough" run "$tmp/one" "${never[@]}" name=never
cp "$tmp/check.out" "$tmp/never.out"
never_run=$(ls -d "$tmp"/one/never-*)
check "... runs all" grep -q '104 units: 35 computed, 0 there already, 69 adopted from other runs;' "$tmp/never.out"
check "... after two looks a task" test "$(grep -c '^look: .*goes on with' "$tmp/never.out")" -eq 4
check "... and is judged at the end" $python - "$never_run" <<'P'
import csv, sys
for row in csv.DictReader(open(sys.argv[1] + "/verdict.csv")):
    assert row["stopped_after"] == "" and row["verdict"] != "PROMPT" and row["n_looks"] == "3" and row["tuned_arm"], row
P
# Policies replayed on a run of all arms, from its stored files; not on one that a look has stopped.
expect "policies: a run that was stopped" 2 'a look has stopped a stage' "$PLUMB" policies "$one"
check "policies" bash -c '"$1" policies "$2" --quiet >"$3" && "$1" policies "$2" --quiet --json >"$4"' - "$PLUMB" "$never_run" "$tmp/p.out" "$tmp/p.json"
check "... a line each" bash -c "grep -q '^verdict, staged ' $tmp/p.out && grep -q '^accuracy only (other tasks) ' $tmp/p.out && grep -q 'under three tasks: nothing is known of others' $tmp/p.out"
check "... and their tables" $python - "$never_run" "$tmp/p.json" <<'P'
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1] + "/policies.csv")))
told = json.load(open(sys.argv[2]))
cells = list(csv.DictReader(open(sys.argv[1] + "/policy_cells.csv")))
assert len(cells) == 4 == len(told["cells"]) and {(c["task"], c["half"]) for c in cells} == {(t, h) for t in ("tiny_living", "tiny_order") for h in "12"}
assert all(c["tuned_arm"].startswith("finetune") and c["has_looks"] == "1" and c["is_enough"] == "0" for c in cells)
score = {(r["policy"], r["held_out"], r["score"]): float(r["value"] or "nan") for r in rows}
mean = lambda name: sum(float(c[name]) for c in cells) / len(cells)
for policy, column in (("always prompt", "prompted"), ("always repair", "repaired"), ("always tune", "tuned")):
    assert abs(score[policy, "", "utility"] - mean(column)) < 1e-12
assert abs(score["oracle", "", "utility"] - sum(max(float(c[n]) for n in ("prompted", "repaired", "tuned")) for c in cells) / 4) < 1e-12
assert score["always tune", "", "spent"] == 1 == score["verdict, staged", "", "spent"] and score["always repair", "", "spent"] == 0
assert 0 < score["always repair", "", "looked"] and len(told["policies"]) == len(rows)
P
check "not staged: all units are there" run "$tmp/one" name=plain 'verdict={require: 0.65, template_sd_max: 0.1}'
keeps "... from the staged runs" '104 units: 0 computed, 0 there already, 104 adopted'
# Nothing left to compute, and finetune, which waits for the looks, first in the file: adopted units end a stage too, and
# so do those that were there before a run was stopped without its looks.
check "all adopted" run "$tmp/one" "${enough[@]}" name=adopted
keeps "... stops at the same looks" '104 units: 0 computed, 0 there already, 69 adopted from other runs, 35 not needed'
adopted=$(ls -d "$tmp"/one/adopted-*)
check "... which it took" diff -r "$one/looks" "$adopted/looks"
check "... and is done" test -e "$adopted/DONE"
rm -r "$adopted/DONE" "$adopted/looks"
check "all there, without looks" run "$tmp/one" "${enough[@]}" name=adopted --quiet
check "... takes them" diff -r "$one/looks" "$adopted/looks"

same() { same_units "$one" "$1" && cmp "$one/verdict.csv" "$1/verdict.csv" && cmp "$one/stability.csv" "$1/stability.csv" && diff -r "$one/looks" "$1/looks" && [ -e "$1/DONE" ]; }
if [ -n "$killer" ]; then
  # Killed when a look is about to be written, then when it has been; then asked to stop in the middle.
  for at in fsync:looks:1 fsync:looks:2; do
    PLUMB_KILL=$at LD_PRELOAD=$killer run "$tmp/killed" "${enough[@]}" --quiet >/dev/null 2>&1
    [ $? -eq 137 ] && pass "killed at a look ($at)" || fail "not killed at $at"
  done
  check "killed between stages: goes on" run "$tmp/killed" "${enough[@]}" --quiet
  check "... to the same" same "$(run_of "$tmp/killed")"
fi
check "two processes" run "$tmp/two" "${enough[@]}" --quiet --ranks 2
check "... come to the same" same "$(run_of "$tmp/two")"
check "shard 0 of 2" run "$tmp/shards" "${enough[@]}" --quiet --shard 0/2
check "shard 1 of 2" run "$tmp/shards" "${enough[@]}" --quiet --shard 1/2
check "shards: the merge" run "$tmp/shards" "${enough[@]}" --quiet
keeps "... computes nothing" '104 units: 0 computed, 69 there already'
check "... and comes to the same" same "$(run_of "$tmp/shards")"

# A prompt unit that fails: its task is not looked at and goes no further, the other goes its way.
words_of() { printf ' word%.0s' $(seq "$1"); }
cat >"$tmp/long.yaml" <<Y
include: $root/experiments/tiny/order.yaml
task: long_order
dataset_path: $root/experiments/tiny/data
plumb: {templates: [{name: colon, role: id}, {name: arrow, role: dev, doc_to_text: " {{item}} ->"}, {name: ood_group, role: ood, doc_to_text: " {{item}} group :"}, {name: ood_item, role: ood, doc_to_text: " item {{item}} ->"}, {name: ood_question, role: ood, doc_to_text: " Q {{item}} is"}, {name: ood_long, role: ood, doc_to_text: "$(words_of 600) {{item}}"}]}
Y
run "$tmp/failing" "${enough[@]}" --quiet "tasks=[tiny/living.yaml, $tmp/long.yaml]" arms.1.shots=[0] >"$tmp/failing.out" 2>&1
[ $? -eq 3 ] && pass "a unit that fails: 3" || { fail "a unit that fails: another exit code"; tail -3 "$tmp/failing.out"; }
check "... the rest of its task waits" grep -qE '1 FAILED, .*28 not begun: their stage waits for a look' "$tmp/failing.out"
check "... the other one is looked at" bash -c "ls $tmp/failing/*/looks/0.0.*.json && ! ls $tmp/failing/*/looks/0.1.*"

# A look that is no look.
echo '{' >"$(run_of "$tmp/two")/looks/0.0.loglikelihood.prompt.json"
expect "a damaged look" 2 'looks/0.0.loglikelihood.prompt.json' run "$tmp/two" "${enough[@]}" --quiet
exit $((failures > 0))
