#!/usr/bin/env bash
# The main job as a user runs it: run, look at the files, run again, add a template, use the other verbs.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
tiny_model "$tmp/llama" llama
sed "s#path: gpt2#path: $tmp/gpt2#; s#path: llama#path: $tmp/llama#; s#\.\./\.\./#$root/#g" tests/program/random.yaml >"$tmp/random.yaml"
exp=$tmp/random.yaml
small=(items=24 arms.0.shots=[0,2] --quiet)

"$PLUMB" plan $exp "${small[@]:0:2}" --results "$tmp/a" --json >"$tmp/plan.json" 2>"$tmp/check.out" || fail "plan --json"
check "plan writes nothing" test ! -e "$tmp/a"
check "plan prints a table" bash -c "$PLUMB plan $exp ${small[*]:0:2} --results $tmp/a | grep -qE '^all +[0-9]+ +0 '"
check "run finishes" "$PLUMB" run $exp "${small[@]}" --results "$tmp/a"
run=$(run_of "$tmp/a")
check "the plan named the run folder, its units and its size within 10 %" $python - "$tmp/plan.json" "$run" <<'P'
import glob, json, os, sys
plan, run = json.load(open(sys.argv[1])), sys.argv[2]
files = glob.glob(run + "/units/*.h5")
size = sum(map(os.path.getsize, files))
assert os.path.samefile(plan["run"], run) and plan["units"] == len(files) and plan["finished"] == 0, plan
assert sum(p["units"] for p in plan["parts"]) == plan["units"]
assert abs(plan["disk_bytes"] / size - 1) < 0.1, (plan["disk_bytes"], size)
P
for file in experiment.yaml manifest.json plan.json log.txt status.json stability.csv DONE; do check "$file" test -e "$run/$file"; done
check "results and samples" bash -c "ls $run/results*.json $run/samples_*.jsonl"
check "no .tmp is left" bash -c "! ls $run/units/*.tmp 2>/dev/null"
check "table on standard output" bash -c "$PLUMB run $exp ${small[*]} --results $tmp/a 2>/dev/null | grep -q 'flip'"
check "says that weights are random" bash -c "$PLUMB analyze $run 2>/dev/null | grep -q 'random weights: no skill expected'"

cp -r "$run" "$tmp/first"
check "run again computes nothing" bash -c "$PLUMB run $exp ${small[*]} --results $tmp/a 2>&1 >/dev/null | grep -q ' 0 computed'"
rm "$(ls "$run"/units/*.h5 | head -1)" "$run/DONE"
check "run again after a loss" "$PLUMB" run $exp "${small[@]}" --results "$tmp/a"
check "unit files are byte-identical" same_units "$tmp/first" "$run"
check "stability.csv is byte-identical" cmp "$tmp/first/stability.csv" "$run/stability.csv"

# Another experiment over the same cells adopts them.
check "the same cells in another experiment are adopted" bash -c \
  "$PLUMB run $exp ${small[*]} name=other templates.ood=[] --results $tmp/a 2>&1 >/dev/null | grep -qE '; |: .* 0 computed'"
other=$(ls -d "$tmp"/a/other-*/)
first=$(ls "$other"/units/*.h5 | head -1)
check "an adopted file is the same file" cmp "$first" "$run/units/$(basename "$first")"

# The run folder stands alone: from elsewhere, without the files that it was made of, it is the same run.
mkdir -p "$tmp/moved/tests/program"
cp -r experiments "$tmp/moved/experiments"
cp tests/program/random.yaml "$tmp/moved/tests/program"
(cd "$tmp/moved" && "$PLUMB" run tests/program/random.yaml "models=[$tmp/gpt2]" "${small[@]}" --results "$tmp/alone") >"$tmp/check.out" 2>&1 || fail "a run of files that go away"
alone=$(run_of "$tmp/alone")
find "$tmp/moved" -name '*.yaml' -exec rm {} +
cp -r "$alone" "$tmp/alone_first"
rm "$alone"/units/*.h5
check "a run folder runs again from anywhere" bash -c "cd / && $PLUMB run $alone/experiment.yaml --quiet"
check "... and is the same run" bash -c "[ \$(ls -d $tmp/alone/*/ | wc -l) = 1 ]"
check "... with the same units" same_units "$tmp/alone_first" "$alone"
check "the manifest names data and models by digest" $python - "$alone/manifest.json" <<'P'
import hashlib, json, sys
m = json.load(open(sys.argv[1]))
assert m["models"] and all(len(x["weights"]) == 32 and x["folder"].startswith("/") for x in m["models"]), m
for task in m["tasks"]:
    data = task["test"]
    assert hashlib.sha256(open(data["path"], "rb").read()).hexdigest() == data["sha256"], data
P

check "analyze --json is one JSON object" bash -c "$PLUMB analyze $run --json 2>/dev/null | $python -c 'import json,sys; json.load(sys.stdin)'"
check "status --json" bash -c "$PLUMB status $run --json | $python -c 'import json,sys; s=json.load(sys.stdin); assert s[\"left\"]==0 and s[\"done\"]==s[\"units\"]'"
check "status" bash -c "$PLUMB status $run | grep -q 'analysed'"
check "inspect --json" bash -c "$PLUMB inspect $tmp/gpt2 --json | $python -c 'import json,sys; m=json.load(sys.stdin); assert m[\"family\"]==\"gpt2\" and m[\"random_weights\"]'"
check "tokenize, then the ids make the text again" bash -c "$PLUMB tokenize $tmp/gpt2 'A fine film.' --json | $python -c '
import json,sys; t=json.load(sys.stdin); assert \"\".join(t[\"pieces\"]).replace(\"Ġ\",\" \")==\"A fine film.\", t'"
check "tokenize reads rows" bash -c "printf '%s\n' '{\"text\": \"one two\"}' '\"three\"' | $PLUMB tokenize $tmp/gpt2 --json | wc -l | grep -qx 2"
check "generate --json" bash -c "$PLUMB generate $tmp/llama --prompt 'Review:' --max-tokens 5 --json | $python -c 'import json,sys; g=json.load(sys.stdin); assert len(g[\"ids\"])<=5 and \"text\" in g'"
printf '%s\n' '{"text": "A fine film."}' '{"ids": [1, 2, 3, 4]}' >"$tmp/texts.jsonl"
check "extract" "$PLUMB" extract "$tmp/gpt2" "$tmp/texts.jsonl" --out "$tmp/states.h5" --positions last,mean --logits --quiet
check "extract --positions all" "$PLUMB" extract "$tmp/gpt2" "$tmp/texts.jsonl" --out "$tmp/all.h5" --positions all --logits --dtype float16 --quiet

unit=$(ls "$run"/units/*.h5 | head -1)
if command -v h5ls >/dev/null; then check "h5ls opens a unit file" bash -c "h5ls -r $unit | grep -q /obsm"; else skip "h5ls is not installed"; fi
if $python -c 'import h5py' 2>/dev/null; then
  check "h5py reads a unit file" $python - "$run" <<'P'
import glob, sys, h5py
for path in glob.glob(sys.argv[1] + "/units/*.h5"):
    with h5py.File(path) as f:
        n = f["obs/doc_id"].shape[0]
        assert f.attrs["encoding-type"] == "anndata" and n > 0
        for name, states in f["obsm"].items():
            assert states.shape[0] == n and states.dtype == "float32", name
P
  check "h5py reads an extracted file" $python -c "
import h5py, numpy
f = h5py.File('$tmp/states.h5'); g = h5py.File('$tmp/all.h5')
assert f['uns/plumb/tokens/ids'].shape[0] == f['uns/plumb/tokens/indptr'][-1]
assert numpy.isfinite(f['uns/plumb/logits'][:]).all()"
else
  skip "h5py is not installed"
fi
if $python -c 'import anndata' 2>/dev/null; then
  # Not every unit keeps states: those that generate have none here.
  check "anndata opens the unit files" $python -c "
import anndata, glob
files = [anndata.read_h5ad(p) for p in glob.glob('$run/units/*.h5')]
assert all(a.n_obs > 0 for a in files) and any(len(a.obsm) for a in files)"
else
  skip "anndata is not installed"
fi
exit $((failures > 0))
