#!/usr/bin/env bash
# plumb tsne: files of plumb and of others, odd layouts, states that are no numbers, what is written and where.
source "$(dirname "$0")/lib.sh"
$python -c 'import h5py, numpy' 2>/dev/null || { skip "tsne: no h5py"; exit 0; }
cd "$tmp"
export OMP_NUM_THREADS=1 # threads of small maps spend their time waiting where the machine is busy
$python - <<'P'
import h5py, numpy as np
r = np.random.default_rng(0)
x = (r.normal(0, 1, (160, 12)) + 4 * (np.arange(160) % 3 == 1)[:, None]).astype("f4")
def file(name, **sets):
    with h5py.File(name, "w") as f:
        for key, value in sets.items(): f[key.replace("__", "/")] = value
file("good.h5", emb=x.astype("f8"), labels=np.arange(160))
file("units.h5", emb=x)
file("chunked.h5", a=1.0)
with h5py.File("chunked.h5", "a") as f: f.create_dataset("g/emb", data=x.astype(">f4"), chunks=(16, 12), compression="gzip")
bad = x.copy(); bad[7, 3] = np.nan; bad[9, 0] = np.inf
file("nan.h5", emb=bad)
file("allnan.h5", emb=np.full((150, 4), np.nan, "f4"))
file("few.h5", emb=x[:60])
file("same.h5", emb=np.ones((150, 4), "f4"))
file("two.h5", a=x, b=x)
file("none.h5", labels=np.arange(5), text="words", cube=np.zeros((2, 3, 4)))
file("empty.h5", emb=np.zeros((0, 5), "f4"))
with h5py.File("links.h5", "w") as f:
    f["emb"] = x; f["again"] = h5py.SoftLink("/emb"); f["far"] = h5py.ExternalLink("good.h5", "/emb"); f["round/back"] = f["/"]
with h5py.File("written.h5", "w") as f:
    f["emb"] = x; f["obsm"] = h5py.ExternalLink("good.h5", "/")
with h5py.File("never.h5", "w") as f: f.create_dataset("emb", (20, 10), "f4")
with h5py.File("huge.h5", "w") as f: f.create_dataset("emb", (1 << 20, 1 << 20), "f4", chunks=(64, 64))
open("text.h5", "w").write("not HDF5\n")
P
map() { "$PLUMB" tsne "$@" --seeds 1 --quiet; }
check "a foreign file" map good.h5
check "its map stands in it and in the CSV" $python -c "
import csv, h5py, numpy as np
f = h5py.File('good.h5'); g = f['uns/plumb_tsne']; m = f['obsm/X_tsne'][()]
assert m.shape == (160, 2) and np.isfinite(m).all() and f['emb'].dtype == 'f8' and f['labels'][3] == 3
rows = list(csv.DictReader(open('good.tsne.csv')))
assert len(rows) == 160 and abs(float(rows[5]['tsne_1']) - m[5, 0]) < 1e-4 and g['dataset'][()] == b'/emb'
assert g['pca'].shape == g['exaggeration_4'].shape == (160, 2) and g['reliability'].shape == (160,) and 0 < g['tsne_kl'][()] < 3
c = np.corrcoef(m[:, 0], np.arange(160) % 3 == 1)[0, 1]; d = np.corrcoef(m[:, 1], np.arange(160) % 3 == 1)[0, 1]
assert c * c + d * d > .5, 'the planted groups are apart'"
cp good.tsne.csv before.csv
check "again: the same map" map good.h5 --dataset emb
check "the same bytes" cmp before.csv good.tsne.csv
check "three threads: the same" map good.h5 --dataset /emb --threads 3
check "the same bytes with three threads" cmp before.csv good.tsne.csv
check "chunks, a filter, other byte order" map chunked.h5
check "the same map from there" $python -c "
import h5py; assert (h5py.File('chunked.h5')['obsm/X_tsne'][()] == h5py.File('good.h5')['obsm/X_tsne'][()]).all()"
check "seeds and JSON" bash -c "'$PLUMB' tsne good.h5 --dataset emb --seeds 2 --json --out other.h5 --quiet | $python -c '
import json, sys
j = json.load(sys.stdin); assert j[\"seeds\"] == 2 and j[\"seeds_kl_low\"] <= j[\"tsne_kl\"] <= j[\"seeds_kl_high\"] and j[\"rows_placed\"] == 160'"
check "--out leaves the file alone" $python -c "
import h5py; assert 'seeds_disparity' in h5py.File('other.h5')['uns/plumb_tsne'] and 'seeds_disparity' not in h5py.File('good.h5')['uns/plumb_tsne']"
check "progress and the time on standard error" bash -c "'$PLUMB' tsne good.h5 --dataset emb --seeds 1 2>&1 >/dev/null | grep -q 'good.h5: emb: 160 rows of 12 values, perplexity 30, 1 seed: about'"
check "rows that are no numbers have no place" bash -c "'$PLUMB' tsne nan.h5 --seeds 1 --quiet 2>&1 | grep -q 'warning: .*2 of 160 rows have NaN or infinite values, row 7 first'"
check "NaN there, numbers elsewhere" $python -c "
import h5py, numpy as np; m = h5py.File('nan.h5')['obsm/X_tsne'][()]; assert np.isnan(m[[7, 9]]).all() and np.isfinite(m).all(1).sum() == 158"
check "few rows: components alone, and why" bash -c "'$PLUMB' tsne few.h5 --quiet | grep -q 'no t-SNE: 60 points, fewer than 100'"
check "no map in that file" $python -c "
import h5py; f = h5py.File('few.h5'); assert 'obsm' not in f and f['uns/plumb_tsne/pca'].shape == (60, 2)"
check "links are not counted twice" map links.h5
plugin=$(find "$PLUMB_BUILD" -name libplumb_cuda_emulated.so | head -1)
if [ -n "$plugin" ]; then
  emulated() { PLUMB_CUDA_PLUGIN=$plugin map small.h5 --device cuda-emulated --out "$1"; }
  $python -c "import h5py; x = h5py.File('units.h5')['emb'][:120]; f = h5py.File('small.h5', 'w'); f['emb'] = x"
  check "on a device" emulated first.h5
  check "again on it" emulated second.h5
  check "the same bytes, of the device" bash -c "cmp first.tsne.csv second.tsne.csv && $python -c '
import h5py; assert h5py.File(\"first.h5\")[\"uns/plumb_tsne/device\"][()] == b\"cuda-emulated\"'"
  check "on the CPU it is as good" bash -c "'$PLUMB' tsne small.h5 --seeds 1 --quiet --out third.h5 && $python -c '
import h5py
a, b = (h5py.File(n)[\"uns/plumb_tsne/tsne_kl\"][()] for n in (\"first.h5\", \"third.h5\"))
assert abs(a - b) < .1 * b, (a, b)'"
else
  skip "tsne on a device: this build has no emulated CUDA backend"
fi
expect "no such device" 2 "device 'gpu'" map good.h5 --dataset emb --device gpu
tiny_model model gpt2
for i in $(seq 120); do echo "{\"ids\": [$((i % 50 + 3)), $((i * 7 % 60 + 3)), $((i * i % 40 + 3))]}"; done >texts.jsonl
check "extract" "$PLUMB" extract model texts.jsonl --out states.h5 --quiet --device cpu
check "its states" map states.h5 --dataset /obsm/last.02
check "anndata and plumb still read them" $python -c "
import h5py, numpy as np; f = h5py.File('states.h5'); assert f['obsm/X_tsne'].shape == (120, 2) and f['obsm/X_tsne'].attrs['encoding-type'] == 'array'
try: import anndata
except ImportError: raise SystemExit
a = anndata.read_h5ad('states.h5'); assert a.obsm['X_tsne'].shape == (120, 2) and a.uns['plumb_tsne']['rows'] == 120"

expect "which one" 2 'two.h5 holds 2 matrices \(/a, /b\): name one with --dataset' map two.h5
expect "no matrix" 2 'none.h5: no matrix in it' map none.h5
expect "integers" 2 'none.h5: /labels: expected 2 dims, found 1' map none.h5 --dataset /labels
expect "three dims" 2 'none.h5: /cube: expected 2 dims, found 3' map none.h5 --dataset /cube
expect "not there" 2 'good.h5: /nowhere: expected an array, found none' map good.h5 --dataset /nowhere
expect "a group" 2 'chunked.h5: /g: expected an array' map chunked.h5 --dataset /g
expect "no rows" 2 'empty.h5: /emb: 0 x 5 values' map empty.h5
expect "never written" 2 'never.h5: /emb: its values were never written' map never.h5
expect "more than the file holds" 2 'huge.h5: /emb: 1048576 x 1048576 elements are more' map huge.h5
expect "no HDF5" 2 'text.h5: not a whole HDF5 file' map text.h5
expect "no file" 2 'absent.h5: cannot open' map absent.h5
expect "nothing finite" 2 'allnan.h5: /emb: 0 of 150 rows are finite' map allnan.h5
expect "all the same" 2 'all 150 rows have the same values' map same.h5
expect "a perplexity too large" 2 'perplexity 54 needs 162 neighbours.*expected 4 to 53' map good.h5 --dataset /emb --perplexity 54
expect "no perplexity" 2 '--perplexity: expected a number from 1' map good.h5 --perplexity 0
expect "a group that is a link elsewhere" 2 'written.h5: /obsm: expected a group' map written.h5 --dataset /emb
cp good.h5 unit.h5; mkdir units; mv unit.h5 units/; echo '{}' >units/unit.json
expect "a unit of a run" 2 'a unit of a run, whose bytes must stay' map units/unit.h5 --dataset /emb
chmod 500 units
[ "$(id -u)" = 0 ] || expect "a folder that may not be written" 1 'cannot create' map units/unit.h5 --dataset /emb --out units/x.h5
chmod 700 units
# In a run: maps of layers, and nothing without them.
cp "$root"/experiments/paper/data/sentiment.*.jsonl .
field=$($python -c "import json; r = json.loads(open('sentiment.test.jsonl').readline()); print(next(k for k, v in r.items() if isinstance(v, str) and len(v) > 12))")
cat >task.yaml <<Y
task: t
training_split: sentiment.train.jsonl
test_split: sentiment.test.jsonl
doc_to_text: "Review: {{ $field }}\nSentiment:"
doc_to_target: label
doc_to_choice: [negative, positive]
output_type: multiple_choice
plumb: {templates: [{name: a, role: id}, {name: b, role: ood, doc_to_text: "{{ $field }} Is it good?"}]}
Y
cat >exp.yaml <<Y
name: maps
models: [model]
tasks: [task.yaml]
arms: [{kind: prompt, shots: 0}]
capture: {layers: all}
analysis: {tsne: {layers: [all], perplexity: 5, seeds: 1}}
truncation: truncate_left
Y
check "a run with maps" "$PLUMB" run exp.yaml --results results --quiet --device cpu
check "its maps" $python -c "
import csv, glob, h5py, numpy as np
f = h5py.File(glob.glob('results/maps-*/analysis.h5')[0])['maps']
text = lambda g, k: g[k].asstr()[()]
last = [g for g in f.values() if text(g, 'layer') == 'final_norm'][0]
n, t = len(last['doc_id']), len(last['template'])
if n * t < 100: assert text(last, 'why_empty') == 'fewer than 100 points' and 'tsne' not in last and last['pca'].shape == (n * t, 2)
else: assert last['tsne'].shape == (n * t, 2) and np.isfinite(last['tsne'][()]).all() and last['reliability'].shape == (n * t,) and text(last, 'start').startswith('layer')
rows = [r for r in csv.DictReader(open(glob.glob('results/maps-*/stability.csv')[0])) if r['metric'] == 'tsne_knn']
assert len(rows) == len(f), (len(rows), len(f))"
cp results/maps-*/analysis.h5 first.h5
rm results/maps-*/table.txt
check "analyze again" "$PLUMB" analyze results/maps-*
check "the same bytes" cmp first.h5 results/maps-*/analysis.h5
check "nothing is left behind" bash -c "! ls | grep -F .tmp"
exit $((failures > 0))
