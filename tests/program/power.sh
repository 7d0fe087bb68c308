#!/usr/bin/env bash
# What plan says of the primary contrast: by assumed variances, by those of an earlier run, and what it refuses.
source "$(dirname "$0")/lib.sh"
cat >"$tmp/exp.yaml" <<Y
name: power
models: [$root/experiments/tiny/small]
tasks: [$root/experiments/tiny/living.yaml]
primary: {task: tiny_living, arm: {kind: prompt, shots: 4}, minus: {kind: prompt, shots: 0}, templates: ood}
arms: [{kind: prompt, shots: [0, 4], draws: 3}]
items: 16
capture: {positions: []}
Y
plan() { "$PLUMB" plan "$tmp/exp.yaml" --results "$tmp/r" "$@"; }
check "a line of the contrast" bash -c "'$PLUMB' plan '$tmp/exp.yaml' --results '$tmp/r' | grep -A2 'what they will show' | grep -qE '16 items, 6 templates, 3 draws; variance: assumed'"
expect "a run that is none" 2 "nothing: no run folder" plan --from "$tmp/nothing"
expect "a half-width that is none" 2 "half-width: expected a number above 0 and below 1, found '2'" plan --half-width 2
check "run" "$PLUMB" run "$tmp/exp.yaml" --quiet --results "$tmp/r"
run=$(run_of "$tmp/r")
plan --json >"$tmp/assumed.json"
plan --json --from "$run" --half-width 0.2 >"$tmp/from.json"
check "the run's variance, and what is wanted" $python - "$tmp/assumed.json" "$tmp/from.json" <<'P'
import json, sys
assumed, told = (json.load(open(name))["primary"][0] for name in sys.argv[1:])
assert assumed["variance"] == "assumed" and assumed["model"] is None, assumed
assert told["variance"] == "the run's" and told["model"] == "small", told
assert told["half_width"] != assumed["half_width"] and 0 < told["detectable"] < 1, told
assert told["half_width_wanted"] == 0.2 and (told["clusters_needed"] or 0) > 1, told
assert told["detectable_twice_items"] < told["detectable"], told
P
expect "another contrast than the run's" 2 "its primary contrast of task 'tiny_living' is not the experiment's" plan --from "$run" "primary={task: tiny_living, arm: {kind: prompt, shots: 4}, minus: best_prompt}"
sed -i '/^primary/d' "$tmp/exp.yaml"
expect "no contrast to plan" 2 "names no primary contrast" plan --from "$run"
exit $((failures > 0))
