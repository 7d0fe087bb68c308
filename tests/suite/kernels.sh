#!/usr/bin/env bash
# Planted faults turn the op tests red: the training ops' on the CPU, and the CUDA kernels' on the emulated device. The CUDA
# kernels are right when threads take turns in another order, and have no data races (thread sanitizer). The long suite has
# every fault, three orders and more cases.
source "$(dirname "$0")/common.sh"
step "planted faults turn the op tests red; CUDA: the first of each op"
: >build-test/faults-ranks.counts
PLUMB_COUNTS=build-test/faults-ranks.counts script build-test/faults-ranks.log tests/train/faults.sh build-test & # it waits, mostly
script build-test/faults-training.log tests/device/faults.sh build-test
script build-test/faults.log tests/cuda/faults.sh build-test 1
wait
cat build-test/faults-ranks.counts >>"$PLUMB_COUNTS"

step "CUDA: kernels under another schedule"
script build-test/schedules.log tests/cuda/schedules.sh build-test 1

step "CUDA: kernels with the thread sanitizer"
mkdir -p build-tsan
script build-tsan/races.log tests/cuda/races.sh build-test build-tsan
