#!/usr/bin/env bash
# From a fresh clone on Debian 12 to a finished experiment: packages (when missing), build, two tiny random models, run.
# Under three minutes in all; again, in seconds. Arguments go to `plumb run` (for example items=100 or --results DIR).
set -euo pipefail
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
build/plumb run experiments/demo.yaml "$@"
