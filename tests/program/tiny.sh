#!/usr/bin/env bash
# The tiny models of the repository: what is shipped is what world.py makes, a miniature is trained again by their recipe, and the
# large one has what it is shipped for, few-shot prompting.
source "$(dirname "$0")/lib.sh"
tiny=experiments/tiny
mkdir "$tmp/made"
check "the world makes its files" $python -B $tiny/world.py tasks "$tmp/made"
for file in $tiny/data/*.jsonl; do check "$(basename "$file") is the world's" cmp "$file" "$tmp/made/$(basename "$file")"; done
check "the world makes its tokenizer" $python -B $tiny/world.py tokenizer "$tmp/made"
for size in small large; do
  for file in tokenizer.json tokenizer_config.json; do check "$size/$file is the world's" cmp $tiny/$size/$file "$tmp/made/$file"; done
  check "$size has the shape of its recipe" $python - $tiny/$size/config.json $tiny/shapes/$size.json <<'P'
import json, sys
made, shape = (json.load(open(path)) for path in sys.argv[1:])
assert all(made[key] == value for key, value in shape.items()), (made, shape)
P
done
check "the weights are at most 8 MB together" test "$(cat $tiny/*/model.safetensors | wc -c)" -le 8000000

# A corpus twice: the same bytes; another seed: others. No item of a test split is in it.
for name in "a 1" "b 1" "c 2"; do $python -B $tiny/world.py corpus 300 "${name#* }" >"$tmp/${name% *}.jsonl"; done
check "the same seed, the same corpus" cmp "$tmp/a.jsonl" "$tmp/b.jsonl"
check "another seed, another corpus" bash -c "! cmp -s '$tmp/a.jsonl' '$tmp/c.jsonl'"
check "no test item is in a corpus" $python -B - "$tmp/a.jsonl" $tiny <<'P'
import json, sys
sys.path.insert(0, sys.argv[2])
import world
texts = {}
for line in open(sys.argv[1]):
    parts = json.loads(line)["parts"]
    cue, first = parts[0]["text"].split("\n")
    texts.setdefault(cue.split()[1], set()).update([first, *(p["text"].removeprefix("\n") for p in parts[2::2])])
assert set(texts) == set(world.TASKS)
for task, seen in texts.items():
    asked = lambda part: {f.format(x=item) for f in world.FORMATS.values() for items in world.SPLITS[task][part] for item in items}
    assert seen <= asked("train") and not seen & asked("test"), task
P

# The recipe, in miniature and twice.
mini() { PLUMB=$PLUMB OMP_WAIT_POLICY=passive $tiny/train.sh small "$1" "${@:2}" warmup_steps=4; }
check "a miniature is trained" mini "$tmp/mini" 800
check "its loss falls" $python - "$tmp/mini/training.csv" <<'P'
import csv, sys
loss = [float(row["loss"]) for row in csv.DictReader(open(sys.argv[1]))]
assert len(loss) == 25 and loss[0] > 6 and sum(loss[-5:]) / 5 < 0.7 * loss[0], (len(loss), loss[0], loss[-5:])
P
check "again, the same weights" bash -c "$(declare -f mini); $(declare -p tiny PLUMB tmp); mini $tmp/again 800 && cmp $tmp/mini/model.safetensors $tmp/again/model.safetensors"

# What the larger model is shipped for: shots tell it what made-up labels mean. The interval is over items, templates and draws.
check "few-shot prompting" "$PLUMB" run experiments/demo.yaml 'models=[{path: tiny/large, name: large}]' \
  'arms=[{kind: prompt, shots: [0, 4, 8], draws: 3, balance: true}, {kind: linear, n_train: 16, seeds: 1}]' --results "$tmp/results" --threads 1 --quiet
check "... is 10 points and more above no shots" $python - "$(run_of "$tmp/results")" <<'P'
import csv, sys
rows = [row for row in csv.DictReader(open(sys.argv[1] + "/arms.csv")) if row["arm"] == "prompt" and row["role"] in ("dev", "ood")]
for task in ("tiny_living", "tiny_order"):
    for role in ("dev", "ood"):
        of = {int(row["k"]): row for row in rows if row["task"] == task and row["role"] == role}
        gain = float(of[4]["accuracy"]) - float(of[0]["accuracy"])
        sure = float(of[0]["difference_hi"]) < 0 or role == "dev"  # four wordings: too few for the bound
        assert gain >= 0.1 and of[0]["best_prompt"] == "0" and sure, (task, role, gain, of[0])
P
exit $((failures > 0))
