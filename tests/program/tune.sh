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
  templates: [{name: plain, role: id}, {name: short, role: dev, doc_to_text: "{{text}} ->"}, {name: asks, role: ood, doc_to_text: "What is {{text}}? It is"}]
Y
cat >"$tmp/exp.yaml" <<Y
name: learn
models: [$tmp/gpt2]
tasks: [task.yaml]
items: 40
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
check "other threads, no sharing, small batches: the same bytes" bash -c "'$PLUMB' run '$tmp/exp.yaml' --quiet --results '$tmp/two' --threads 2 --no-sharing --batch-tokens 64"
check "other threads: same units" same_units "$calm" "$(run_of "$tmp/two")"

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
        best = int(np.argmax(t["trial_score"][:]))
        assert p["learned_rate"][()] == [2e-3, 5e-4][best] and p["learned_step"][()] == t["trial_best_step"][best]
        assert t["evaluation_step"][:].tolist() == [3, 6, 9, 12] * 2
        assert max(t["evaluation_score"][4 * best:4 * best + 4]) == t["trial_score"][best] == p["learned_score"][()]
        continue
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
cat "$tmp/check.out" | head -3
exit $((failures > 0))
