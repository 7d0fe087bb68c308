#!/usr/bin/env bash
# Arms that learn, on a tiny random model: what is learned is right, its units have the same bits after kills, drains,
# other threads and shards, and what it leaves behind is what was asked for.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
# A task that can be learned from words: the label is the colour.
$python - "$tmp" <<'P'
import itertools, json, sys
colours, things = [["red", "dark"], ["green", "bright"]], ["house", "door", "garden", "street", "ship", "table", "hat", "stone"]
for name, numbers in (("train", range(12)), ("test", range(50, 55))):
    with open(f"{sys.argv[1]}/{name}.jsonl", "w") as out:
        for number, thing, label, which in itertools.product(numbers, things, (0, 1), (0, 1)):
            out.write(json.dumps({"text": f"a {colours[label][which]} {thing} at {number}", "label": label, "thing": thing + str(number)}) + "\n")
P
cat >"$tmp/task.yaml" <<'Y'
task: colours
training_split: train.jsonl
test_split: test.jsonl
output_type: multiple_choice
doc_to_text: "Note: {{text}}\nKind:"
doc_to_target: label
doc_to_choice: [bad, good]
plumb:
  group: thing
  calibration: ["N/A", "nothing"]
  templates: [{name: plain, role: id}, {name: short, role: dev, doc_to_text: "{{text}} ->"}, {name: asks, role: ood, doc_to_text: "What is {{text}}? It is"}]
Y
cat >"$tmp/exp.yaml" <<Y
name: learn
models: [$tmp/gpt2]
tasks: [task.yaml]
items: 30
arms:
  - {kind: prompt, shots: [0, 2]}
  - {kind: linear, n_train: 32, seeds: 2, layers: [2, final_norm]}
  - {kind: finetune, head: [lm, classifier], n_train: 32, train_templates: [[plain, short]], learning_rate: [2.0e-3, 5.0e-4], num_train_epochs: 4, labels: [given, shuffled]}
capture: {layers: [2, final_norm], positions: [last]}
Y
run() { "$PLUMB" run "$tmp/exp.yaml" --quiet "$@"; }
check "undisturbed run" run --results "$tmp/calm" --threads 1
calm=$(run_of "$tmp/calm")
check "it is done" test -e "$calm/DONE"
check "no tuned weights are left" test -z "$(find "$calm/checkpoints" -type f 2>/dev/null)"

check "what stands in the files" $python - "$calm" <<'P'
import glob, json, sys
import h5py, numpy as np
run = sys.argv[1]
plan = json.load(open(run + "/plan.json"))
units = {u["id"]: u for u in plan["units"]}
files = {i: h5py.File(f"{run}/units/{i}.h5") for i in units}
text = lambda column: np.array([c.decode() for c in column["categories"][:]])[column["codes"][:]]
accuracy = {}
for i, u in units.items():
    f, p = files[i], files[i]["uns/plumb"]
    learns = "train_template" in u and u["learned_by"] is None
    if learns:
        assert set(f["obs"].attrs["column-order"]) >= {"doc_id", "purpose", "template"}, list(f["obs"])
        purpose = text(f["obs/purpose"])
        assert len(purpose) == 32
        if u["arm"] == "linear":
            assert (purpose == "train").all()
            continue
        assert (purpose[:24] == "train").all() and (purpose[24:] == "dev").all()
        t = p["training"]
        assert t["trial_steps"][:].tolist() == [12, 12] and len(t["loss"]) == 24 and np.isfinite(t["loss"][:]).all()
        assert len(t["gradient_norm"]) == 24 and (t["gradient_norm"][:] > 0).all() and t["learning_rate"][0] == 2e-3
        sidecar = json.load(open(f"{run}/units/{i}.json"))
        tokens, dev_tokens = p["learned_tokens"][()], p["learned_dev_tokens"][()] # of 2 x 4 evaluations
        assert dev_tokens > 0 and dev_tokens % 8 == 0 and sidecar["tokens_computed"] == tokens + dev_tokens, (tokens, dev_tokens)
        assert sidecar["learned_seconds"] > 0
        best = int(np.argmax(t["trial_score"][:]))
        assert p["learned_rate"][()] == [2e-3, 5e-4][best] and p["learned_step"][()] == t["trial_best_step"][best]
        assert t["evaluation_step"][:].tolist() == [3, 6, 9, 12] * 2
        assert max(t["evaluation_score"][4 * best:4 * best + 4]) == t["trial_score"][best] == p["learned_score"][()]
        continue
    assert "learned_seconds" not in json.load(open(f"{run}/units/{i}.json"))
    accuracy.setdefault((u["arm"], u.get("head"), u.get("labels")), []).append(f["obs/correct"][:].mean())
    if u["arm"] == "prompt":
        continue
    column = lambda name: set(text(f["obs/" + name]))
    assert column("arm") == {u["arm"]} and column("train_template") == {u["train_template"]}
    assert (f["obs/n_train"][:] == 32).all() and (f["obs/draw"][:] == u["draw"]).all()
    values = p["loglik/score"][:].reshape(-1, 2)
    if u["arm"] == "linear": # logits of the frozen states of the prompt without shots
        learned = files[u["learned_by"]]["uns/plumb"]
        base = next(files[j] for j, v in units.items() if v["arm"] == "prompt" and v["k"] == 0 and v["template"] == u["template"])
        layer = {2: "02", 5: "final_norm"}[int(learned["learned_layer"][()])]
        losses = learned["linear/losses"][:]
        assert [2, 5][int(np.argmin(losses.min(1)))] == learned["learned_layer"][()]
        logits = base["obsm/last." + layer][:].astype(float) @ learned["linear/coef"][:].T + learned["linear/intercept"][:]
        expected = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        assert np.abs(values - expected).max() < 1e-5, np.abs(values - expected).max()
    if u["head"] == "classifier": # logits of its own states
        logits = f["obsm/last.final_norm"][:].astype(float) @ p["labels/unembedding"][:].astype(float).T
        expected = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        assert np.abs(values - expected).max() < 1e-5, np.abs(values - expected).max()
    else:
        assert u["arm"] == "linear" or p["labels/ids"].shape[0] >= 2
accuracy = {k: float(np.mean(v)) for k, v in accuracy.items()}
print(accuracy)
for head in "lm", "classifier":
    assert accuracy["finetune", head, "given"] >= 0.6, accuracy
    assert accuracy["finetune", head, "shuffled"] <= accuracy["finetune", head, "given"] - 0.1, accuracy
P

# Drift: the tuned model's states against the checkpoint's.
check "drift from the checkpoint" $python - "$calm" <<'P'
import csv, json, sys
import h5py, numpy as np
run = sys.argv[1]
units = json.load(open(run + "/plan.json"))["units"]
states = lambda u: h5py.File(f"{run}/units/{u['id']}.h5")["obsm/last.final_norm"][:].astype(float)
def hsic(a, b):
    k, l, n = a @ a.T, b @ b.T, len(a)
    np.fill_diagonal(k, 0), np.fill_diagonal(l, 0)
    return (np.sum(k * l) + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 * (k.sum(0) @ l.sum(0)) / (n - 2)) / (n * (n - 3))
cka = lambda a, b: hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b))
base = {u["template"]: states(u) for u in units if u["arm"] == "prompt" and u["k"] == 0}
rows = [r for r in csv.DictReader(open(run + "/stability.csv")) if r["contrast"] == "base" and r["layer"] == "final_norm"]
assert len(rows) == 4, len(rows)
for r in rows:
    head, labels = r["arm"].split()[1], "shuffled" if "shuffled" in r["arm"] else "given"
    mine = [u for u in units if u["arm"] == "finetune" and u["learned_by"] and u["head"] == head and u["labels"] == labels]
    expected = np.mean([cka(base[u["template"]], states(u)) for u in mine])
    assert len(mine) == 3 and abs(float(r["value"]) - expected) < 1e-9, (r["value"], expected)
P

# ---- stopped, killed, shared, damaged ----
cat >"$tmp/short.yaml" <<Y
name: short
models: [$tmp/gpt2]
tasks: [task.yaml]
items: 10
arms:
  - {kind: linear, n_train: 16}
  - {kind: finetune, n_train: 16, seeds: 2, learning_rate: [2.0e-3, 1.0e-3], num_train_epochs: 6, save: true}
capture: {positions: []}
Y
short() { "$PLUMB" run "$tmp/short.yaml" --quiet "$@"; }
start() { # RESULTS: sets pid, that of the program itself
  "$PLUMB" run "$tmp/short.yaml" --quiet --results "$1" --threads 1 >"$tmp/out" 2>"$tmp/err" &
  pid=$!
}
check "a calm run of two seeds" short --results "$tmp/short" --threads 1
short=$(run_of "$tmp/short")
check "other threads, no sharing, small batches" short --results "$tmp/two" --threads 2 --no-sharing --batch-tokens 64
check "other threads, no sharing, small batches: the same bytes" same_units "$short" "$(run_of "$tmp/two")"
check "save: the tuned weights of both, and nothing else" bash -c "cd '$short/checkpoints' && test \$(ls | wc -l) = 2 && test \"\$(ls -d */* | sed 's#.*/##' | sort -u)\" = model && test -s \"\$(ls -d */model | head -1)/model.safetensors\""
check "a tuned checkpoint is a model" "$PLUMB" generate "$(ls -d "$short"/checkpoints/*/model | head -1)" --prompt "Note: a red house at 51" --max-tokens 2

# SIGTERM in the middle of training: the state is saved, 75, and the run goes on from it. A trial takes a tenth of a
# second, so a signal may come too late for it: then once more, in an empty folder.
state_there() { ls -d "$1"/*/checkpoints/*/trial-*.state >/dev/null 2>&1; }
drained_while_it_trained() {
  local code=75 drains
  rm -rf "$tmp/drained"
  for ((drains = 0; code == 75 && drains < 12; drains++)); do
    start "$tmp/drained"
    until state_there "$tmp/drained" || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
    sleep "0.$((RANDOM % 2))$((RANDOM % 10))"
    kill -TERM $pid 2>/dev/null
    wait $pid 2>/dev/null
    code=$?
  done
  grep -q 'training stopped, its state is in' "$(run_of "$tmp/drained")/log.txt"
}
for ((tries = 1; tries < 20; tries++)); do drained_while_it_trained && break; done
check "drained: while it trained" test $tries -lt 20
check "drained: finishes" short --results "$tmp/drained"
check "drained: unit files are byte-identical" same_units "$short" "$(run_of "$tmp/drained")"

# SIGKILL at random points.
for ((kills = 0; kills < 5; kills++)); do
  start "$tmp/killed"
  sleep "$((RANDOM % 2)).$((RANDOM % 10))"
  kill -KILL $pid 2>/dev/null
  wait $pid 2>/dev/null
done
check "killed: finishes" short --results "$tmp/killed"
check "killed: unit files are byte-identical" same_units "$short" "$(run_of "$tmp/killed")"
check "killed: so are the tuned weights" bash -c "cd '$short/checkpoints' && for f in */model/model.safetensors; do cmp \"\$f\" '$(run_of "$tmp/killed")'/checkpoints/\"\$f\" || exit 1; done"

# Shards: what learns and what evaluates it are one share.
check "shard 0" short --results "$tmp/shards" --shard 0/2
check "one share is the linear arm, or one seed, or both" bash -c "ls '$(run_of "$tmp/shards")'/units/*.h5 | wc -l | grep -qE '^(4|8)$'"
check "shard 1" short --results "$tmp/shards" --shard 1/2
check "shards: unit files are byte-identical" same_units "$short" "$(run_of "$tmp/shards")"

# Two processes in one folder.
start "$tmp/both"
other=$pid
start "$tmp/both"
wait $pid $other
check "two processes, then what they left" short --results "$tmp/both"
check "two processes: unit files are byte-identical" same_units "$short" "$(run_of "$tmp/both")"

# An evaluation that is missing and weights that are gone, or cut in half: trained once more, to the same bits.
killed=$(run_of "$tmp/killed")
evaluation=$($python -c 'import json, sys; print(next(u["id"] for u in json.load(open(sys.argv[1] + "/plan.json"))["units"] if u["learned_by"] and u["arm"] == "finetune"))' "$killed")
learner=$($python -c 'import json, sys; print(next(u["learned_by"] for u in json.load(open(sys.argv[1] + "/plan.json"))["units"] if u["id"] == sys.argv[2]))' "$killed" "$evaluation")
rm -rf "$killed/checkpoints" "$killed/units/$evaluation".*
check "another process makes the weights: no failure" flock "$killed/units/$learner.lock" "$PLUMB" run "$tmp/short.yaml" --quiet --results "$tmp/killed"
check "and the log says so" grep -q "another process is at the weights of unit $learner" "$killed/log.txt"
check "weights that are gone are made again" short --results "$tmp/killed"
check "the log says so" grep -q 'its tuned weights are not there: trained once more' "$killed/log.txt"
check "made again: unit files are byte-identical" same_units "$short" "$killed"
for f in "$killed"/checkpoints/*/model/model.safetensors; do truncate -s 1000 "$f"; done
rm "$killed/units/$evaluation".*
check "weights that were cut are made again" short --results "$tmp/killed"
check "cut: unit files are byte-identical" same_units "$short" "$killed"

# A unit is adopted by another run; its weights are not there.
cat "$tmp/short.yaml" | sed 's/name: short/name: adopts/' >"$tmp/adopts.yaml"
check "another run adopts what was learned" "$PLUMB" run "$tmp/adopts.yaml" --quiet --results "$tmp/shards"
check "adopted: unit files are byte-identical" same_units "$short" "$(ls -d "$tmp"/shards/adopts-*)"
check "adopted: the weights that were to be saved are there" bash -c "cd '$short/checkpoints' && for f in */model/model.safetensors; do cmp \"\$f\" '$(ls -d "$tmp"/shards/adopts-*)'/checkpoints/\"\$f\" || exit 1; done"

# Two arms that share what they learn; of its two rates one cannot end in numbers.
cat >"$tmp/twice.yaml" <<Y
name: twice
models: [$tmp/gpt2]
tasks: [task.yaml]
items: 5
templates: {id: [plain]}
arms:
  - {kind: finetune, n_train: 16, learning_rate: [1.0e+3, 2.0e-3], weight_decay: 1, num_train_epochs: 2, eval_steps: 1}
  - {kind: finetune, n_train: 16, learning_rate: [1.0e+3, 2.0e-3], weight_decay: 1, num_train_epochs: 2, eval_steps: 1, readout: generate}
capture: {positions: []}
Y
check "two arms share what they learn" "$PLUMB" run "$tmp/twice.yaml" --quiet --results "$tmp/twice"
twice=$(run_of "$tmp/twice")
check "it is trained once, and its weights go with the last arm" bash -c "! grep -q 'trained once more' '$twice/log.txt' && test -z \"\$(find '$twice/checkpoints' -type f)\""
check "a failed rate beside a good one" $python - "$twice" <<'P'
import glob, h5py, sys
p = next(f["uns/plumb"] for f in map(h5py.File, glob.glob(sys.argv[1] + "/units/*.h5")) if "learned_rate" in f["uns/plumb"])
assert p["learned_trials_failed"][()] == 1 and p["learned_rate"][()] == 2e-3
assert p["learned_failure"][()].decode().startswith("training stopped at step 3 of 4: loss"), p["learned_failure"][()]
P

# Arms that differ in their recipe alone, told apart by a name; what was computed without it is adopted.
cat >"$tmp/named.yaml" <<Y
name: named
models: [$tmp/gpt2]
tasks: [task.yaml]
items: 5
templates: {id: [plain]}
arms:
  - {kind: finetune, n_train: 16, learning_rate: 2.0e-3, num_train_epochs: 1, eval_steps: 1}
  - {kind: finetune, n_train: 16, learning_rate: 2.0e-3, num_train_epochs: 2, eval_steps: 1}
capture: {positions: []}
Y
expect "two recipes of one name" 2 "which no table tells apart: give one of them a name" "$PLUMB" run "$tmp/named.yaml" --quiet --results "$tmp/named"
check "one of them" "$PLUMB" run "$tmp/named.yaml" --quiet --results "$tmp/named" 'arms=[{kind: finetune, n_train: 16, learning_rate: 2.0e-3, num_train_epochs: 1, eval_steps: 1}]'
one=$(run_of "$tmp/named")
check "both, one with a name" "$PLUMB" run "$tmp/named.yaml" --quiet --results "$tmp/named" arms.1.name=long
both=$(ls -d "$tmp"/named/named-* | grep -v "^$one$")
check "what is the same is adopted" bash -c "for f in '$one'/units/*.h5; do cmp \"\$f\" '$both'/units/\${f##*/} || exit 1; done; grep -q '\"adopted\": *2' '$both/status.json'"
check "a row each" bash -c "'$PLUMB' analyze '$both' >/dev/null 2>&1; cut -d, -f4 '$both/arms.csv' | sort -u | tr '\n' ' ' | grep -qx 'arm constant finetune lm plain n=16 finetune:long lm plain n=16 '"

# An open answer: loss on the target and the text that ends it; read by generating.
sed 's/^output_type.*/output_type: generate_until/; s/^doc_to_target.*/doc_to_target: "{% if label == 1 %}good{% else %}bad{% endif %}"/; /^doc_to_choice/d; /calibration/d; s/^task: .*/task: written/' "$tmp/task.yaml" >"$tmp/written.yaml"
echo 'generation_kwargs: {until: ["\n"], max_gen_toks: 6}' >>"$tmp/written.yaml"
cat >"$tmp/writes.yaml" <<Y
name: writes
models: [$tmp/gpt2]
tasks: [written.yaml]
items: 20
templates: {id: [plain]}
arms: [{kind: finetune, n_train: 32, learning_rate: 2.0e-3, num_train_epochs: 24, readout: generate}]
capture: {positions: []}
Y
check "a task without choices is learned" "$PLUMB" run "$tmp/writes.yaml" --quiet --results "$tmp/writes"
check "its answers are the words, and end" $python - "$(run_of "$tmp/writes")" <<'P'
import glob, h5py, sys
for name in glob.glob(sys.argv[1] + "/units/*.h5"):
    f = h5py.File(name)
    if "exact_match" in f["obs"]:
        answers = {c.decode().strip() for c in f["obs/prediction/categories"][:]}
        assert answers <= {"good", "bad"}, answers
P

# ---- the table, plan and errors ----
check "arms side by side on the screen" bash -c "'$PLUMB' analyze '$calm' --full 2>/dev/null | grep -q '^  finetune lm plain+short n=32 .* of 1$'"
check "arms.csv and --json have the same rows" bash -c "'$PLUMB' analyze '$calm' --json 2>/dev/null | $python -c 'import csv, json, sys; a = json.load(sys.stdin)[\"arms\"]; b = list(csv.DictReader(open(sys.argv[1]))); assert len(a) == len(b) > 10 and all(x[\"arm\"] == y[\"arm\"] and abs(x[\"accuracy\"] - float(y[\"accuracy\"])) < 1e-12 for x, y in zip(a, b)); assert any(x[\"best_prompt\"] for x in a)' '$calm/arms.csv'"
check "calibrated prompts stand beside them" $python - "$calm" <<'P'
import csv, sys
arms = [r for r in csv.DictReader(open(sys.argv[1] + "/arms.csv")) if r["arm"] == "prompt calibrated"]
table = [r for r in csv.DictReader(open(sys.argv[1] + "/stability.csv")) if r["metric"] == "acc_cc" and r["contrast"] == "templates" and r["template"] == "plain"]
assert len(arms) == 6 and len(table) == 2, (len(arms), len(table))
for r in table:
    mine = next(a for a in arms if a["role"] == "id" and a["k"] == r["k"])
    assert abs(float(mine["accuracy"]) - float(r["value"])) < 1e-9, (mine, r)
P
check "results.json has every condition" grep -q '"colours@asks,k=0,draw=0,finetune classifier plain+short n=32 shuffled"' "$calm/results.json"
check "status counts units that learn" bash -c "'$PLUMB' status '$calm' | grep -q '30 of 30 units done'"
check "the plan counts tuned weights" bash -c "'$PLUMB' plan '$tmp/exp.yaml' | grep -q 'tuned weights take up to' && '$PLUMB' plan '$tmp/exp.yaml' | grep -qE 'training takes up to [0-9.e-]+ GB of memory'"
bad() { sed "/kind: linear/d; s/n_train: 16.*}/$2}/" "$tmp/short.yaml" >"$tmp/bad.yaml"; expect "$1" 2 "$3" "$PLUMB" run "$tmp/bad.yaml" --quiet --results "$tmp/bad"; }
bad "fewer examples than asked for" "n_train: 100000" "100000 examples are asked for, the pool has 384 rows"
bad "a rate of 0" "n_train: 16, learning_rate: 0" "learning_rate: expected a number above 0, found 0"
bad "a template that is not there" "n_train: 16, train_templates: none" "has no template 'none'"
bad "a template of role ood" "n_train: 16, train_templates: asks" "'asks' has role ood"
check "nothing was started" test ! -e "$tmp/bad"
sed 's/1.0e+3, 2.0e-3/1.0e+3/; /generate/d' "$tmp/twice.yaml" >"$tmp/diverges.yaml"
expect "no rate that ends in numbers" 3 'no learning rate came to finite numbers: training stopped at step 3 of 4' "$PLUMB" run "$tmp/diverges.yaml" --quiet --results "$tmp/diverges"
exit $((failures > 0))
