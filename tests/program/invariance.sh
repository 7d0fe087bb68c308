#!/usr/bin/env bash
# Promise 1 from outside: unit files have the same bytes for any batch size, thread count, sharing and sharding; a
# predictor that never changes has flip rate 0; a template under two names is one wording, and has CKA 1.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
tiny_model "$tmp/llama" llama
cp experiments/paper/data/*.jsonl "$tmp/"
cat >"$tmp/twins.yaml" <<'Y'
task: twins
dataset_path: .
training_split: sentiment_train.jsonl
test_split: sentiment_test.jsonl
doc_to_text: "Review: {{ text }}\nSentiment:"
doc_to_target: "{{ label }}"
doc_to_choice: [negative, positive]
output_type: multiple_choice
plumb:
  templates:
    - {name: one, role: id}
    - {name: two, role: ood}
    - {name: other, role: ood, doc_to_text: "{{ text }} This is"}
metadata: {version: 1}
Y
train=$(ls "$tmp"/*sentiment*train* | head -1) test_file=$(ls "$tmp"/*sentiment*.jsonl | grep -v train | head -1)
sed -i "s#sentiment_train.jsonl#$(basename "$train")#; s#sentiment_test.jsonl#$(basename "$test_file")#" "$tmp/twins.yaml"
cat >"$tmp/exp.yaml" <<Y
name: invariance
models: [$tmp/gpt2, $tmp/llama]
tasks: [twins.yaml]
arms: [{kind: prompt, shots: [0, 3], readout: [loglikelihood, generate]}]
capture: {layers: all, positions: [last, label, mean, all]}
items: 16
Y
run() { "$PLUMB" run "$tmp/exp.yaml" --results "$tmp/$1" --quiet "${@:2}" >"$tmp/$1.out" 2>"$tmp/$1.err" || { cat "$tmp/$1.err"; fail "run $1"; }; }
run base
base=$(run_of "$tmp/base")
for variant in "batch7 --batch-tokens 7" "batch8192 --batch-tokens 8192" "thread1 --threads 1" "thread2 --threads 2 --batch-tokens 100" \
  "unshared --no-sharing" "unshared-small --no-sharing --batch-tokens 33 --threads 1"; do
  # shellcheck disable=SC2086
  run $variant
  name=${variant%% *}
  check "same bytes: $variant" same_units "$base" "$(run_of "$tmp/$name")"
done

# Three shards at once in one run folder, then the merge.
for i in 0 1 2; do "$PLUMB" run "$tmp/exp.yaml" --results "$tmp/shards" --shard $i/3 --quiet >/dev/null 2>"$tmp/shard$i.err" & done
wait
run shards
check "same bytes: three shards at once" same_units "$base" "$(run_of "$tmp/shards")"
check "same table: three shards at once" cmp "$base/stability.csv" "$(run_of "$tmp/shards")/stability.csv"

# Rows of stability.csv by header name.
row() { python3 - "$1/stability.csv" "$2" "$3" <<'P'
import csv, sys
path, metric, condition = sys.argv[1:]
rows = [r for r in csv.DictReader(open(path)) if r["metric"] == metric]
chosen = [r for r in rows if eval(condition, {}, r)]
assert chosen, "no row of " + metric
print(len(chosen), [float(r["value"]) for r in chosen if r["value"] != ""])
sys.exit(0)
P
}
values() { row "$@" | sed 's/^[0-9]* //'; }
"$PLUMB" run "$tmp/exp.yaml" name=twins templates.id=[one] templates.ood=[two] --results "$tmp/twins" --no-sharing --batch-tokens 50 --quiet >/dev/null 2>&1 || fail "twins run"
twins=$(run_of "$tmp/twins")
check "a template under two names: one wording, whose wobble nobody can tell" row "$twins" wobble 'value == "" and why_empty == "the templates are one wording"'
check "... in no row" python3 -c "assert $(values "$twins" wobble True) == []"
# Rows that hold layers against one another are differences.
check "a template under two names: CKA 1" python3 -c "v = $(values "$twins" cka_debiased 'null_name != "no difference"'); assert v and max(abs(x - 1) for x in v) < 1e-12, v"
check "a template under two names: no flips" python3 -c "assert set($(values "$twins" flip_rate True)) == {0.0}"
check "another wording does wobble" python3 -c "assert max($(values "$base" wobble True)) > 1e-3"

# A predictor that always says the same: one label is a prefix of nothing the other could beat.
sed "s#doc_to_choice: .*#doc_to_choice: [a, 'a zebra of improbable length and habit, seldom seen in any review of any film, ever']#; s/task: twins/task: constant/" "$tmp/twins.yaml" >"$tmp/constant.yaml"
"$PLUMB" run "$tmp/exp.yaml" name=constant tasks=[constant.yaml] arms.0.readout=loglikelihood arms.0.shots=0 --results "$tmp/constant" --quiet >/dev/null 2>&1 || fail "constant run"
constant=$(run_of "$tmp/constant")
check "a constant predictor never flips" python3 -c "assert set($(values "$constant" flip_rate True)) == {0.0}"
check "a constant predictor has no entropy" python3 -c "assert set($(values "$constant" prediction_entropy True)) == {0.0}"
exit $((failures > 0))
