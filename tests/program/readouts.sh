#!/usr/bin/env bash
# What is taken of a prompt beside its label: content-free scores have the bits of the same texts as items of their
# own, acc_cc and acc_ens are what Python makes of the unit files, and states behind a suffix.
source "$(dirname "$0")/lib.sh"
"$python" -c 'import h5py, numpy' 2>/dev/null || { skip "readouts (python3 has no h5py)"; exit 0; }
tiny_model "$tmp/gpt2" gpt2
seq 24 | awk '{ good = ($1 % 3 > 0); printf "{\"text\": \"a %s thing, %d times\", \"label\": %d}\n", (good ? "good" : "bad"), $1, good }' >"$tmp/rows.jsonl"
seq 30 40 | awk '{ good = $1 % 2; printf "{\"text\": \"a %s shot, %d times\", \"label\": %d}\n", (good ? "good" : "bad"), $1, good }' >"$tmp/shots.jsonl"
printf '{"text": "%s", "label": 0}\n' N/A '[MASK]' '' >"$tmp/free.jsonl"
# task FOLDER ROWS: the same task over other rows.
task() {
  mkdir -p "$tmp/$1"
  cat >"$tmp/$1/task.yaml" <<Y
task: things
dataset_path: $tmp
training_split: shots.jsonl
test_split: $2
output_type: multiple_choice
doc_to_text: "{{text}} is"
doc_to_target: label
doc_to_choice: ["poor", "fine"]
plumb:
  templates:
    - {name: bare, role: id}
    - {name: asks, role: dev, doc_to_text: "Is it fine? {{text}}. Answer:"}
    - {name: says, role: dev, doc_to_text: "Thing: {{text}}\nIt is"}
    - {name: longer, role: dev, doc_to_text: "Thing: {{text}}\nQuality:", doc_to_choice: ["very poor", "fine"]}
    - {name: counts, role: ood, doc_to_text: "{{text}} {% if label > 5 %}!{% endif %}="}
Y
  cat >"$tmp/$1/exp.yaml" <<Y
name: readouts
models: [$tmp/gpt2]
tasks: [task.yaml]
arms: [{kind: prompt, shots: [0, 2]}]
capture: {layers: [0, last], positions: [last, all]}
Y
  "$PLUMB" run "$tmp/$1/exp.yaml" --results "$tmp/$1" --quiet >"$tmp/$1.out" 2>"$tmp/$1.err" || { cat "$tmp/$1.err"; fail "run $1"; exit 1; }
}
task items rows.jsonl
task free free.jsonl

cat >"$tmp/check.py" <<'P'
import csv, glob, json, sys
import h5py, numpy as np
def units(folder):
    found = {}
    for path in glob.glob(folder + "/units/*.h5"):
        with h5py.File(path) as f:
            p, config = f["uns/plumb"], json.loads(f["uns/plumb/config_json"][()])
            free = p["content_free"] if "content_free" in p else None
            n = len(f["obs/_index"])
            assert f["obsm/last.00"].shape[0] == n and len(p["states_all/indptr"]) == n + 1
            found[config["template"], config["arm"]["k"], config["arm"]["draw"]] = dict(
                scores=p["loglik/score"][:].reshape(n, -1), gold=f["obs/label_index"][:], config=config,
                tokens=np.diff(p["loglik/token_indptr"][:].astype(int)).reshape(n, -1), characters=p["loglik/choice_characters"][:].reshape(n, -1),
                free=None if free is None else free["score"][:], prompts=None if free is None else list(free["prompt"].asstr()))
    return found
items, free = units(sys.argv[1]), units(sys.argv[2])
assert items.keys() == free.keys() and len(items) == 10
for (template, k, draw), unit in items.items():
    assert unit["config"]["content_free"] == ["N/A", "[MASK]", ""]
    if template == "counts":  # 'label > 5' has no meaning for a text: the unit does without
        assert unit["free"] is None
        continue
    assert np.array_equal(unit["free"], free[template, k, draw]["scores"]), (template, k)
    assert "a good thing" not in unit["prompts"][0] and "N/A" in unit["prompts"][0] and ("shot" in unit["prompts"][0]) == (k > 0)
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
def calibrated(unit):
    return ((unit["scores"] - np.log(softmax(unit["free"]).mean(0))).argmax(1) == unit["gold"]).mean()
rows, seen = list(csv.DictReader(open(sys.argv[1] + "/stability.csv"))), 0
for row in rows:
    k, draw = int(row["k"]), int(row["draw"])
    if draw < 0 or row["metric"] not in ("acc_cc", "acc_ens"):
        continue
    dev = [items[t, k, draw] for t in ("asks", "says", "longer")]
    # A mean over all templates, of which one has no content-free scores, is none: by role, and each alone.
    of = {"id": ["bare"], "dev": ["asks", "says", "longer"], "templates": [row["template"]]}[row["contrast"]]
    assert int(row["n_templates"]) == len(of), row
    if row["metric"] == "acc_ens":
        value = (np.mean([np.log(softmax(u["scores"])) for u in dev], 0).argmax(1) == dev[0]["gold"]).mean()
    else:
        value = np.mean([calibrated(u) for u in (items[t, k, draw] for t in of)])
    assert abs(value - float(row["value"])) < 1e-12, row
    assert row["lo"] and row["hi"] and row["null_mean"] == "0.5"
    seen += 1
assert seen == 2 * (1 + 4 + 2), seen
# scorers.csv: one template has no content-free scores, so that no scorer of all templates needs them.
roles = {"id": ["bare"], "dev": ["asks", "says", "longer"], "ood": ["counts"]}
def scored(unit, scorer):
    by = {"raw": 1, "token": unit["tokens"], "character": unit["characters"]}[scorer]
    return ((unit["scores"] / by).argmax(1) == unit["gold"]).mean()
rows = list(csv.DictReader(open(sys.argv[1] + "/scorers.csv")))
assert len(rows) == 2 * 3 * 3, len(rows)
for row in rows:
    of = [items[t, int(row["k"]), 0] for t in roles[row["role"]]]
    value = np.mean([scored(u, row["scorer"]) for u in of])
    assert abs(value - float(row["accuracy"])) < 1e-12 and int(row["n_all_templates"]) == 5, row
    assert (row["minus_raw"] == "") == (row["scorer"] == "raw"), row
    if row["scorer"] != "raw":
        assert abs(value - np.mean([scored(u, "raw") for u in of]) - float(row["minus_raw"])) < 1e-12, row
P
# A suffix changes no score; its states are those of prompt and suffix as token ids of their own.
"$PLUMB" run "$tmp/items/exp.yaml" 'capture={layers: [0, last], positions: [last], suffix: " so:"}' --results "$tmp/suffix" --quiet >"$tmp/suffix.out" 2>"$tmp/suffix.err" || { cat "$tmp/suffix.err"; fail "run suffix"; }
cat >"$tmp/paths.py" <<'P'
import glob, json, subprocess, sys
import h5py, numpy as np
program, model, plain, suffixed, folder = sys.argv[1:]
def ids(texts, *flags):
    rows = "".join(json.dumps({"text": t}) + "\n" for t in texts)
    out = subprocess.run([program, "tokenize", model, "--json", *flags], input=rows, capture_output=True, text=True, check=True).stdout
    return [json.loads(line)["ids"] for line in out.splitlines()]
suffix, seen = ids([" so:"], "--no-special")[0], 0
for path in sorted(glob.glob(suffixed + "/units/*.h5")):
    with h5py.File(path) as f:
        config = json.loads(f["uns/plumb/config_json"][()])
        assert config["capture"]["positions"] == ["last", "suffix"] and config["capture"]["suffix"] == " so:"
        scores, states = f["uns/plumb/loglik/values"][:], {k: f["obsm"][k][:] for k in f["obsm"]}
        prompts = [json.loads(s)["arguments"][0][0].rstrip() for s in f["uns/plumb/samples"].asstr()]
    for other in glob.glob(plain + "/units/*.h5"):
        with h5py.File(other) as f:
            theirs = json.loads(f["uns/plumb/config_json"][()])
            if (theirs["template"], theirs["arm"]) != (config["template"], config["arm"]):
                continue
            assert np.array_equal(scores, f["uns/plumb/loglik/values"][:])
            assert all(np.array_equal(states[k], f["obsm"][k][:]) for k in states if k.startswith("last."))
            seen += 1
    rows = [{"ids": p + suffix} for p in ids(prompts)]
    with open(folder + "/paths.jsonl", "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in rows)
    subprocess.run([program, "extract", model, folder + "/paths.jsonl", "--out", folder + "/paths.h5", "--layers", "0,last"], check=True, capture_output=True)
    with h5py.File(folder + "/paths.h5") as f:
        for layer in [k.split(".")[1] for k in states if k.startswith("suffix.")]:
            assert np.array_equal(states["suffix." + layer], f["obsm/last." + layer][:]), layer
    subprocess.run(["rm", folder + "/paths.h5"], check=True)
assert seen == 10, seen
P
# Some items keep states: by chance, the same in every unit, and what was theirs when all did.
"$PLUMB" run "$tmp/items/exp.yaml" 'capture={layers: [last], positions: [last], items: 4}' --results "$tmp/some" --quiet >"$tmp/some.out" 2>"$tmp/some.err" || { cat "$tmp/some.err"; fail "run some"; }
cat >"$tmp/some.py" <<'P'
import glob, json, sys
import h5py, numpy as np
def read(path):
    with h5py.File(path) as f:
        config = json.loads(f["uns/plumb/config_json"][()])
        return (config["template"], json.dumps(config["arm"])), config, f["obs/doc_id"][:], next(f["obsm"][k][:] for k in f["obsm"] if k != "last.00")
whole = {key: (docs, states) for key, _, docs, states in map(read, glob.glob(sys.argv[1] + "/units/*.h5"))}
kept = set()
for key, config, docs, states in map(read, glob.glob(sys.argv[2] + "/units/*.h5")):
    assert config["capture"]["items"] == 4 and sorted(docs) == sorted(whole[key][0])
    assert np.isfinite(states[:4]).all() and np.isnan(states[4:]).all()
    place = {d: i for i, d in enumerate(whole[key][0])}
    assert np.array_equal(states[:4], whole[key][1][[place[d] for d in docs[:4]]])
    kept.add(tuple(docs[:4]))
assert len(kept) == 1 and kept != {tuple(sorted(docs)[:4])}, kept
P
check "capture.items: some by chance" "$python" "$tmp/some.py" "$(run_of "$tmp/items")" "$(run_of "$tmp/some")"
check "states behind a suffix, and the same scores" "$python" "$tmp/paths.py" "$PLUMB" "$tmp/gpt2" "$(run_of "$tmp/items")" "$(run_of "$tmp/suffix")" "$tmp"
check "content-free scores, acc_cc, acc_ens" "$python" "$tmp/check.py" "$(run_of "$tmp/items")" "$(run_of "$tmp/free")"
# Items with choices of their own: each of them has its unconditional scores, those of the same choices behind the
# content-free texts as items; pmi and calibration are per item.
mkdir -p "$tmp/own" "$tmp/own_free"
seq 24 | awk '{ printf "{\"text\": \"thing %d\", \"label\": %d, \"all\": [\"a%d\", \"two words\", \"b\"]}\n", $1, $1 % 3, $1 % 5 }' >"$tmp/own.jsonl"
seq 30 40 | awk '{ printf "{\"text\": \"shot %d\", \"label\": 0, \"all\": [\"c%d\", \"d\", \"e\"]}\n", $1, $1 }' >"$tmp/own_shots.jsonl"
"$python" - "$tmp" <<'P'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1] + "/own.jsonl")]
with open(sys.argv[1] + "/own_free.jsonl", "w") as f:
    f.writelines(json.dumps(dict(row, text=text)) + "\n" for text in ("N/A", "[MASK]", "") for row in rows)
P
for of in own own_free; do
  sed -e 's/^task: .*/task: own/; s/shots.jsonl/own_shots.jsonl/; s/^doc_to_choice: .*/doc_to_choice: all/' -e "s/^test_split: .*/test_split: $of.jsonl/" -e '/longer/d; /counts/d' "$tmp/items/task.yaml" >"$tmp/$of/task.yaml"
  sed 's/positions: .*/positions: []}/' "$tmp/items/exp.yaml" >"$tmp/$of/exp.yaml"
  "$PLUMB" run "$tmp/$of/exp.yaml" --results "$tmp/$of" --quiet >"$tmp/$of.out" 2>"$tmp/$of.err" || { cat "$tmp/$of.err"; fail "run $of"; }
done
cat >"$tmp/own.py" <<'P'
import csv, glob, json, sys
import h5py, numpy as np
def read(path):
    with h5py.File(path) as f:
        config, p = json.loads(f["uns/plumb/config_json"][()]), f["uns/plumb"]
        return (config["template"], config["arm"]["k"]), dict(scores=p["loglik/score"][:].reshape(-1, 3), gold=f["obs/label_index"][:],
            free=p["content_free/score"][:] if "content_free" in p else None)
items, free = (dict(map(read, glob.glob(folder + "/units/*.h5"))) for folder in sys.argv[1:3])
rows = [r for r in csv.DictReader(open(sys.argv[1] + "/scorers.csv"))]
assert len(items) == 6 and {r["scorer"] for r in rows} == {"raw", "token", "character", "calibrated", "pmi"}, rows
def right(unit, scorer):
    f = unit["free"].reshape(3, 24, 3)
    share = np.exp(f) / np.exp(f).sum(-1, keepdims=True)
    off = {"pmi": np.log(np.exp(f).mean(0)), "calibrated": np.log(share.mean(0))}[scorer]
    return ((unit["scores"] - off).argmax(1) == unit["gold"]).mean()
for key, unit in items.items():
    assert unit["free"].shape == (3, 72) and np.array_equal(unit["free"].reshape(72, 3), free[key]["scores"]), key
roles, seen = {"id": ["bare"], "dev": ["asks", "says"]}, 0
for row in rows:
    if row["scorer"] not in ("pmi", "calibrated"):
        continue
    value = np.mean([right(items[t, int(row["k"])], row["scorer"]) for t in roles[row["role"]]])
    assert abs(value - float(row["accuracy"])) < 1e-12, (row, value)
    seen += 1
assert seen == 8, seen
table = list(csv.DictReader(open(sys.argv[1] + "/stability.csv")))
cc = [r for r in table if r["metric"] == "acc_cc" and r["template"]]
assert len(cc) == 6 and all(abs(float(r["value"]) - right(items[r["template"], int(r["k"])], "calibrated")) < 1e-12 for r in cc)
assert not any(r["metric"].startswith("free_") for r in table)
for path in glob.glob(sys.argv[1] + "/units/*.json"):
    cost = json.load(open(path))
    assert 0 < cost["tokens_content_free"] < cost["tokens_computed"], cost
P
check "choices of the items' own: unconditional scores, pmi" "$python" "$tmp/own.py" "$(run_of "$tmp/own")" "$(run_of "$tmp/own_free")"
check "rescore" "$PLUMB" rescore "$(run_of "$tmp/items")"
grep -q '^  character  ' "$tmp/check.out" && grep -q '2 conditions with one scorer: no claim' "$tmp/check.out" || fail "rescore: $(head -5 "$tmp/check.out")"
check "rescore --json" bash -c "'$PLUMB' rescore '$(run_of "$tmp/items")' --json | '$python' -c 'import json, sys; assert len(json.load(sys.stdin)[\"scorers\"]) == 18'"
expect "rescore of what is no run" 2 'no run folder|plan.json' "$PLUMB" rescore "$tmp"
exit $((failures > 0))
