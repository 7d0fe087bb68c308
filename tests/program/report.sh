#!/usr/bin/env bash
# report.html of a run: its figures are the files of figures/, it says what is missing, it is written again and of several
# runs, nothing of the data in it is run; in a headless Chromium it is used as a reader does, without a message, a request
# or more than its share of memory.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
# Labels, texts and names that are markup, for the page and for its script.
evil='</title></script><script>window.planted=1</script><img src=x onerror=window.planted=2>'
$python - "$tmp" "$evil" <<'P'
import json, sys
folder, evil = sys.argv[1:]
for name, first in (("pool", 0), ("rows", 40)):
    with open(f"{folder}/{name}.jsonl", "w") as file:
        for i in range(first, first + 40):
            file.write(json.dumps({"text": f"item {i} {evil}", "label": i % 2}) + "\n")
task = {"task": "evil", "dataset_path": ".", "training_split": "pool.jsonl", "test_split": "rows.jsonl",
        "output_type": "multiple_choice", "doc_to_text": "{{text}}", "doc_to_target": "label", "doc_to_choice": ["no", evil],
        "plumb": {"templates": [{"name": "bare", "role": "id"}, {"name": "asks", "role": "dev", "doc_to_text": "Is it so? {{text}}"},
                                {"name": "long", "role": "ood", "doc_to_text": "Question: {{text}} Answer:"},
                                {"name": "short", "role": "ood", "doc_to_text": "{{text}}?"}]}}
json.dump(task, open(folder + "/task.yaml", "w"))
experiment = {"name": "evil", "models": [{"path": "gpt2", "name": evil}], "tasks": ["task.yaml"], "seed": 1,
              "arms": [{"kind": "prompt", "shots": [0, 2], "draws": 3},
                       {"kind": "finetune", "n_train": [8, 16], "seeds": 3, "num_train_epochs": 1}],
              "capture": {"layers": "all", "positions": ["last"]},
              "analysis": {"tsne": {"perplexity": 10, "seeds": 1}}}
json.dump(experiment, open(folder + "/e.yaml", "w"))
P
"$PLUMB" run "$tmp/e.yaml" --quiet --device cpu --threads 1 --results "$tmp/r" >"$tmp/out" 2>"$tmp/err" || { fail "run"; tail -3 "$tmp/err"; exit 1; }
run=$(run_of "$tmp/r")
check "the path is printed last" test "$(tail -1 "$tmp/err")" = "$run/report.html"
check "the page holds every figure's file" $python - "$run" <<'P'
import glob, sys
page = open(sys.argv[1] + "/report.html", encoding="utf-8").read()
files = glob.glob(sys.argv[1] + "/figures/*.svg")
assert len(files) > 10, files
for name in files:
    if "/map-" not in name: # the page has the points of those as data
        assert open(name, encoding="utf-8").read() in page, name
    assert open(name[:-3] + "csv").read().count("\n") > 1, name
P
check "figures are XML, with title and desc" $python - "$run" <<'P'
import glob, sys
import xml.etree.ElementTree as tree
space = "{http://www.w3.org/2000/svg}"
for name in glob.glob(sys.argv[1] + "/figures/*.svg"):
    svg = tree.parse(name).getroot()
    assert svg.tag == space + "svg" and svg.get("role") == "img" and svg.get("aria-label"), name
    assert svg[0].tag == space + "title" and svg[0].text and svg[1].tag == space + "desc" and svg[1].text, name
P
check "numbers of a figure are the table's" $python - "$run" <<'P'
import csv, glob, sys
rows = list(csv.DictReader(open(sys.argv[1] + "/stability.csv")))
table = {(r["value"], r["lo"], r["hi"]) for r in rows}
for name in glob.glob(sys.argv[1] + "/figures/*.csv"):
    if "difference" in name or "overview" in name or "/map-" in name:
        continue
    for row in csv.reader(open(name)):
        if row[1] and row[3] not in ("", "lo"):
            assert tuple(row[2:5]) in table, (name, row)
P
if $python -c 'import h5py' 2>/dev/null; then
  check "places, labels and trust of a map's points are the files'" $python - "$run" <<'P'
import base64, csv, json, re, sys, zlib
import h5py, numpy as np
run = sys.argv[1]
page = open(run + "/report.html", encoding="utf-8").read()
blocks = [json.loads(zlib.decompress(base64.b64decode(text))) for figure in re.findall("<figure class=map>.*?</figure>", page, re.S)
          for text in re.findall('<script type="application/zlib">(.*?)</script>', figure)]
maps = list(h5py.File(run + "/analysis.h5")["maps"].values())
layers = [(block, layer) for block in blocks for layer in block["layers"]]
assert len(layers) == len(maps) == 8, (len(layers), len(maps))
for group, (block, layer) in zip(maps, layers):
    assert block["items"] == list(group["doc_id"]) and block["templates"] == list(group["template"].asstr())
    assert layer["faint"] == list(np.flatnonzero(group["distrusted"])) and len(layer["faint"]) == group["doubtful"][()]
    for (name, at), key in zip(layer["panels"], ("pca", "tsne", "exaggeration_4")):
        places, true = np.array(at).reshape(-1, 2), group[key][()].astype(float)
        true -= (true.min(0) + true.max(0)) / 2
        assert abs(places - 5000 - true / np.ptp(true, 0).max() * 10000).max() <= 0.51, (name, key)
    rows = list(csv.DictReader(open(f"{run}/figures/{layer['file']}.csv")))
    assert [(int(r["item"]), r["template"]) for r in rows] == [(i, t) for t in block["templates"] for i in block["items"]]
    assert [r["trusted"] == "no" for r in rows] == list(group["distrusted"][()] == 1)
    assert np.allclose([float(r["t-SNE, exaggeration 1 2"]) for r in rows], group["tsne"][:, 1], rtol=1e-6)
    for i, item in enumerate(block["items"]): # rows of the task have label 1 where their number is odd
        gold = block["names"][block["gold"][i]]
        assert (gold == "no") == (item % 2 == 0) and block["labels"][block["colour"][i]] == gold == rows[i]["label"], (item, gold)
        assert f"item {item + 40} " in block["texts"][i], block["texts"][i]
P
else
  skip "the points of maps: no h5py"
fi
cp "$run/report.html" "$tmp/first.html"
cp -r "$run/figures" "$tmp/figures"
rm -r "$run/report.html" "$run/figures"
check "report writes it again" "$PLUMB" report "$run"
check "... to the same bytes" cmp "$tmp/first.html" "$run/report.html"
check "... figures too" diff -r "$tmp/figures" "$run/figures"
rm "$run/report.html"
check "analyze writes one that is gone" "$PLUMB" analyze "$run"
check "... to the same bytes" cmp "$tmp/first.html" "$run/report.html"
expect "several runs need a folder" 2 "name the folder that it is written to: --out FOLDER" "$PLUMB" report "$run" "$run"
check "several runs in one page" "$PLUMB" report "$run" "$run" --out "$tmp/both"
check "... twice the subjects" grep -q '<section id="s1">' "$tmp/both/report.html"
mkdir -p "$tmp/mine/figures"
expect "figures of somebody else stay" 2 "it may be yours" "$PLUMB" report "$run" --out "$tmp/mine"
rm "$(ls "$run"/units/*.h5 | head -1)"
check "a unit that is missing is said" bash -c "$PLUMB report $run && grep -q '1 of .* units are not there yet' $run/report.html"
mkdir "$tmp/half"
cp "$run/plan.json" "$tmp/half"
expect "a run without tables" 2 "stability.csv: no such table; make it from the run's units: plumb analyze" "$PLUMB" report "$tmp/half"
cp "$run"/{verdict,arms,contrasts}.csv "$tmp/half"
head -c 5000 "$run/stability.csv" >"$tmp/half/stability.csv"
expect "a table that is cut off" 2 "stability.csv:[0-9]+: .* make the table again: plumb analyze" "$PLUMB" report "$tmp/half"
if command -v chromium >/dev/null; then
  mkdir "$tmp/pictures"
  browse() {
    $python tests/program/browser.py "$1" "$tmp/pictures" >"$tmp/browser.out" 2>&1 || { [ -s "$tmp/browser.out" ] || echo "not ok it starts" >"$tmp/browser.out"; }
    grep -q '^ok ' "$tmp/browser.out" || tail -3 "$tmp/browser.out"
    while read -r line; do
      case $line in
        "ok "*) pass "browser: ${line#ok }" ;;
        *) fail "browser: $line" ;;
      esac
    done <"$tmp/browser.out"
  }
  browse "$tmp/first.html"
else
  skip "the report in a browser: no chromium"
fi
if command -v pdflatex >/dev/null; then
  printf '%s\n' '\documentclass{article}' '\usepackage{booktabs}' '\begin{document}' '\input{methods}' '\input{table}' '\end{document}' >"$tmp/paper.tex"
  check "a table and a paragraph for a paper" "$PLUMB" report "$run" --out "$tmp/paper" --latex "$tmp"
  check "... compile" env -C "$tmp" pdflatex -halt-on-error -interaction=nonstopmode paper.tex
else
  skip "a table and a paragraph for a paper: no pdflatex"
fi
exit $((failures > 0))
