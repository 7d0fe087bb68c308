#!/bin/sh
# Three training steps of SmolLM2-135M's layers at their own widths on the emulated device, against PyTorch and the CPU.
#
#   tests/long/smollm2.sh [BUILD]
set -eu
cd "$(dirname "$0")/../.."
build=$(cd "${1:-${PLUMB_BUILD:-build-test}}" && pwd)
plugin=$build/libplumb_cuda_emulated.so
[ -e "$plugin" ] || { echo "no $plugin: build the tests first"; exit 77; }
PLUMB_TEST_DEVICE=cuda-emulated PLUMB_CUDA_PLUGIN=$plugin PLUMB_CUDA_PRODUCT=own exec "$build"/tests/train_test_smollm2
