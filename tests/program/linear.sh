#!/usr/bin/env bash
# The linear arm on the emulated CUDA device: what it learns is what the CPU learns, with the same bits under another
# schedule.
source "$(dirname "$0")/lib.sh"
$python -c 'import h5py, numpy' 2>/dev/null || { skip "linear (python3 has no h5py)"; exit 0; }
[ -e "$PLUMB_BUILD/libplumb_cuda_emulated.so" ] || { fail "$PLUMB_BUILD/libplumb_cuda_emulated.so was not built"; exit 1; }
tiny_model "$tmp/gpt2" gpt2
seq 40 | awk '{ good = ($1 % 3 > 0); printf "{\"text\": \"a %s thing, %d times\", \"label\": %d}\n", (good ? "good" : "bad"), $1, good }' >"$tmp/train.jsonl"
seq 50 58 | awk '{ good = $1 % 2; printf "{\"text\": \"a %s shot, %d times\", \"label\": %d}\n", (good ? "good" : "bad"), $1, good }' >"$tmp/test.jsonl"
cat >"$tmp/task.yaml" <<'Y'
task: things
training_split: train.jsonl
test_split: test.jsonl
output_type: multiple_choice
doc_to_text: "{{text}} is"
doc_to_target: label
doc_to_choice: ["poor", "fine"]
Y
cat >"$tmp/exp.yaml" <<Y
name: linear
models: [$tmp/gpt2]
tasks: [task.yaml]
arms: [{kind: linear, n_train: 24, seeds: 2, layers: [1, 2, final_norm]}]
Y
run() { "$PLUMB" run "$tmp/exp.yaml" --quiet --results "$@"; }
check "on the CPU" run "$tmp/cpu" --device cpu
check "on the emulated device" run "$tmp/emulated" --device cuda-emulated
check "on it under a seed" env CUEMU_SEED=1 "$PLUMB" run "$tmp/exp.yaml" --quiet --results "$tmp/seeded" --device cuda-emulated
check "the same bits under a seed" same_units "$(run_of "$tmp/emulated")" "$(run_of "$tmp/seeded")"
# States of a device differ in their last bits of float32, so losses do, and by more where the penalty is weak.
check "the CPU's losses and choices" $python - "$(run_of "$tmp/cpu")" "$(run_of "$tmp/emulated")" <<'P'
import glob, os, sys
import h5py, numpy as np
learned = 0
for path in glob.glob(sys.argv[1] + "/units/*.h5"):
    with h5py.File(path) as a, h5py.File(os.path.join(sys.argv[2], "units", os.path.basename(path))) as b:
        a, b = a["uns/plumb"], b["uns/plumb"]
        if "linear" not in a:
            continue
        learned += 1
        losses, other = a["linear/losses"][:], b["linear/losses"][:]
        assert losses.size == 3 * 7 and np.allclose(losses, other, rtol=1e-3), np.abs(losses / other - 1).max()
        assert a["learned_layer"][()] == b["learned_layer"][()] and a["learned_strength"][()] == b["learned_strength"][()]
        coef, coef_b = a["linear/coef"][:], b["linear/coef"][:]
        assert np.linalg.norm(coef - coef_b) < 1e-3 * np.linalg.norm(coef)
assert learned == 2, learned
P
exit $((failures > 0))
