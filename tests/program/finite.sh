#!/usr/bin/env bash
# A checkpoint with NaN in one token's embedding: the items that hold the token have no prediction, are in no mean of any
# file, and are counted in each; when every item holds it, the unit fails.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/model" llama # its head is not tied to the embedding

token=$("$PLUMB" tokenize "$tmp/model" '~' --json --no-special | $python -c '
import json, sys
ids = json.load(sys.stdin)["ids"]
assert len(ids) == 1, ids
print(ids[0])')
$python - "$tmp/model" "$token" "$tmp" <<'P' || fail "the inputs are made"
import glob, json, struct, sys
folder, token, tmp = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for path in glob.glob(folder + "/*.safetensors"):
    with open(path, "r+b") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        name = next(k for k in header if k.endswith("embed_tokens.weight"))
        width = header[name]["shape"][1]
        assert header[name]["dtype"] == "F32"
        f.seek(8 + size + header[name]["data_offsets"][0] + 4 * token * width)
        f.write(struct.pack("<f", float("nan")) * width)
with open(tmp + "/d.jsonl", "w") as f:
    for i in range(12):
        f.write(json.dumps({"text": f"film {i}" + (" ~" if i % 3 == 0 else ""), "label": i % 2}) + "\n")
with open(tmp + "/all.jsonl", "w") as f:
    for i in range(12):
        f.write(json.dumps({"text": f"film {i} ~", "label": i % 2}) + "\n")
P
for name in d all; do
  cat >"$tmp/$name.yaml" <<Y
task: $name
dataset_path: .
output_type: multiple_choice
test_split: $name.jsonl
doc_to_text: "Q: {{text}} A:"
doc_to_choice: ["no", "yes"]
doc_to_target: "{{label}}"
plumb:
  templates:
    - {name: plain, role: id}
    - {name: other, role: ood, doc_to_text: "{{text}}. Good?"}
Y
  cat >"$tmp/$name-experiment.yaml" <<Y
name: $name
models: [model]
tasks: [$name.yaml]
arms: [{kind: prompt, shots: [0], readout: [loglikelihood]}]
capture: {layers: all, positions: [last]}
Y
done

"$PLUMB" run "$tmp/d-experiment.yaml" --results "$tmp/r" --device cpu --quiet >"$tmp/screen" 2>"$tmp/errors"
status=$?
check "the run finishes" test $status -eq 0
run=$(run_of "$tmp/r")
check "the screen counts them" grep -q 'NOT FINITE: .* 4 of 12 items' "$tmp/screen"
check "so does standard error" grep -q '4 of 12' "$tmp/errors"
check "so does the log" grep -q '4 of 12' "$run/log.txt"
check "every file has the numbers of the other 8" $python - "$run" <<'P'
import csv, glob, json, math, sys
run = sys.argv[1]
results = json.load(open(run + "/results.json"))
samples = [json.loads(line) for line in open(run + "/samples_d.jsonl")]
rows = list(csv.DictReader(open(run + "/stability.csv")))
for template in "plain", "other":
    key = f"d@{template},k=0,draw=0"
    mine = [s for s in samples if s["task"] == key]
    assert [s["doc_id"] for s in mine if s["acc"] is None] == [0, 3, 6, 9]
    assert all((s["outcome"] == "not_finite") == (s["acc"] is None) == (s["prediction"] is None) for s in mine)
    # The readout again, from the log-likelihoods of the responses.
    right = [float(max(range(2), key=lambda c: float(s["resps"][c][0][0])) == int(s["target"])) for s in mine if s["acc"] is not None]
    assert right == [s["acc"] for s in mine if s["acc"] is not None]
    mean = sum(right) / 8
    assert results["results"][key]["acc,none"] == mean and results["results"][key]["sample_len"] == 8
    assert results["n-samples"][key]["effective"] == 8 and results["n-samples"][key]["not_finite"] == 4
    acc = next(r for r in rows if r["metric"] == "acc" and r["template"] == template)
    assert float(acc["value"]) == mean and acc["n"] == "8" and "4 of 12" in acc["note"]
    count = next(r for r in rows if r["metric"] == "not_finite" and r["template"] == template)
    assert count["value"] == "4" and count["n"] == "12"
states = [r for r in rows if r["metric"] == "wobble" and r["value"]]
assert states and all(r["n"] == "8" for r in states)
assert all(r["value"] == "" or math.isfinite(float(r["value"])) for r in rows)
P
if $python -c 'import h5py' 2>/dev/null; then
  check "the unit files say which" $python - "$run" <<'P'
import glob, sys, h5py
for path in glob.glob(sys.argv[1] + "/units/*.h5"):
    with h5py.File(path) as f:
        assert list(f["obs/finite"][:]) == [i % 3 != 0 for i in range(12)]
        assert all((f["obs/prediction/codes"][i] == -1) == (i % 3 == 0) == (f["obs/prediction_index"][i] == -1) for i in range(12))
P
else
  skip "h5py is not installed"
fi

"$PLUMB" run "$tmp/all-experiment.yaml" --results "$tmp/r2" --device cpu --quiet >/dev/null 2>"$tmp/errors"
status=$?
check "a unit without a finite item fails" test $status -eq 3
# States of all tokens, which no item's row shows: counted as they are written.
check "states of all tokens are stored" "$PLUMB" run "$tmp/d-experiment.yaml" "capture.positions=[all]" name=every --results "$tmp/every" --device cpu --quiet
every=$(run_of "$tmp/every")
check "the log counts their values" grep -q 'values of its states are NaN or infinite (first: 00, row ' "$every/log.txt"
check "so do the unit files and their sidecars" $python - "$every" <<'P'
import glob, json, sys, h5py
paths = glob.glob(sys.argv[1] + "/units/*.h5")
assert paths
for path in paths:
    with h5py.File(path) as f:
        total = int(f["uns/plumb/not_finite"][()])
        parts = [d.attrs["not_finite"] for d in f["uns/plumb/states_all"].values() if "not_finite" in d.attrs]
        assert total > 0 and total == sum(parts), (path, total, parts)
    assert json.load(open(path[:-3] + ".json"))["values_not_finite"] == total
P
exit $((failures > 0))
