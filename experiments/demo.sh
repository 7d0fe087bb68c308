#!/usr/bin/env bash
# From a fresh clone on Debian 12 to a finished experiment: packages (when missing), build, two tiny random models, run.
# Under three minutes in all; again, in seconds.
#   demo.sh [RESULTS]    run folders go to RESULTS (default: results)
set -euo pipefail
results=$(realpath -m "${1:-$(dirname "$0")/../results}")
cd "$(dirname "$0")/.."

./experiments/setup.sh build
echo "== build"
[ -f build/build.ninja ] || cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DPLUMB_TESTS=OFF >/dev/null
ninja -C build --quiet plumb plumb-make-model

echo "== two tiny models with random weights: no skill expected"
for family in gpt2 llama; do
    build/plumb-make-model "experiments/models/tiny-$family" --family "$family" \
        experiments/paper/data/*.jsonl experiments/tasks/{sentiment,grammar,addition,plural}.yaml
done

echo "== plumb run experiments/demo.yaml"
# Models this small gain nothing from a second thread.
build/plumb run experiments/demo.yaml --results "$results" --threads 1

run=$(find "$results" -maxdepth 1 -name 'demo-*' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
echo "== done: $run
  stability.csv    accuracy, flips, and wobble, shift and CKA of the states, each with its interval
  results_*.json   lm-evaluation-harness schema; samples_*.jsonl has every prompt and answer
  units/*.h5       predictions and hidden states, one file a unit (h5py, anndata, h5ls)
The weights are random: nothing above says anything about a real model."
