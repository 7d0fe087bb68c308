#!/bin/sh
# Training killed at random points a hundred times, each resumed to the same bits, in one process and in several; and trained checkpoints loaded by
# transformers, with the same logits.
#
#   tests/long/train.sh [BUILD [KILLS]]     PYTHON: an interpreter with transformers (without: that part is left out)
set -eu
cd "$(dirname "$0")/../.."
build=${1:-${PLUMB_BUILD:-build-test}} kills=${2:-100}
python=${PYTHON:-python3}
"$build"/tests/train_test_resume --kills "$kills"
"$build"/tests/train_test_ranks --kills "$kills"
if ! "$python" -c 'import transformers, safetensors' 2>/dev/null; then
    echo "SKIP tests/long/train.sh, in transformers: $python has no transformers (set PYTHON)"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$build"/tests/train_test_export --keep "$folder"
for model in "$folder"/*; do OMP_NUM_THREADS=1 "$python" tests/golden/train/make_train.py --check "$model"; done
