#!/usr/bin/env bash
# The kernels are right in any schedule: their op tests on the emulated device, once for each seed (tests/cuemu/schedule.h).
#
#   tests/cuda/schedules.sh BUILD [SEED...]      seeds 1, 2 and 3 where none is given
#
# BUILD is a build tree with the emulated CUDA backend and the op tests. Products are plumb's own. Prints a line PASS or
# FAIL a test and seed; a FAIL says how to see it again.
set -uo pipefail
cd "$(dirname "$0")/../.."
export build=${1:?usage: tests/cuda/schedules.sh BUILD [SEED...]}
shift
[ $# -gt 0 ] || set -- 1 2 3

check() {
  local log again="CUEMU_SEED=$1 PLUMB_CUDA_PRODUCT=own PLUMB_TEST_DEVICE=cuda-emulated PLUMB_CUDA_PLUGIN=$build/libplumb_cuda_emulated.so"
  log=$(mktemp)
  # shellcheck disable=SC2086
  env $again timeout 600 "$build/tests/device_$2" >"$log" 2>&1
  local code=$?
  if [ $code -eq 0 ] && grep -q "^CUEMU SEED $1\$" "$log"; then echo "PASS schedule $1: $2"; else
    echo "FAIL schedule $1: $2 ended with $code: $(grep -aE -m1 '^ERROR: .|CUEMU ERROR|off by|differ| != ' "$log" | head -c 160); again: $again $build/tests/device_$2"
  fi
  rm -f "$log"
}
export -f check

# The longest first: attention and the products.
tests=$(for kernel in attention score linear $(basename -s .cu cuda/*.cu); do
  [ -e "tests/device/test_$kernel.c" ] && echo "test_$kernel"
done | awk '!seen[$0]++')
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for test in $tests; do for seed in "$@"; do printf '%s\n%s\n' "$seed" "$test"; done; done |
  xargs -P2 -n2 bash -c 'check "$1" "$2"' _ | tee "$out"
! grep -q '^FAIL' "$out" && grep -q '^PASS' "$out"
