#!/usr/bin/env bash
# The kernels have no data races: their op tests on the emulated device under the thread sanitizer, and what is planted in
# kernels of the emulator's own tests is seen.
#
#   tests/cuda/races.sh BUILD TSAN [--long]     --long: the longer cases of the table below
#
# BUILD is a build tree with the op tests, without sanitizer: no race of theirs is looked for. TSAN is built here, with the
# thread sanitizer: the emulated CUDA backend alone, and the emulator's own tests. Products are plumb's own. Prints a line
# PASS or FAIL a test.
set -uo pipefail
cd "$(dirname "$0")/../.."
usage="usage: tests/cuda/races.sh BUILD TSAN [--long]"
build=$(cd "${1:?$usage}" && pwd)
tsan=$(realpath -m "${2:?$usage}")
export build tsan
export TSAN_OPTIONS=atexit_sleep_ms=0 # it would wait a second at the end of each for threads that none of them leaves
other=long # the form that is not run
[ "${3:-}" = --long ] && other=short
if ! { cmake -S . -B "$tsan" -G Ninja -DPLUMB_SANITIZE=thread && ninja -C "$tsan" --quiet plumb_cuda_emulated cuemu_test_faults; } >"$tsan.log" 2>&1; then
  tail -5 "$tsan.log"
  echo "FAIL $tsan is not built ($tsan.log)"
  exit 1
fi

# op | cases | when: a slice of each op that takes minutes under the sanitizer, in the short form, in the long one or in both;
# an op that is not here runs whole.
slices() {
  cat <<'EOF'
attention_backward||long
score_backward|float32|long
score_backward|bfloat16|long
attention||both
attention_backward|float32|short
attention_backward|bfloat16|short
linear|float32|both
linear|bfloat16|both
linear_backward|float32|both
linear_backward|bfloat16|both
score|float32|both
score|bfloat16|both
score_backward|-> 1025|short
score_backward|97 softcap|short
norm_backward|[300, 100]|both
head_norm_backward|D 80|both
head_norm_backward|D 1500|both
logistic|spoilt|both
EOF
}

# A race ends a test with 66.
race() {
  local op cases
  IFS='|' read -r op cases _ <<<"$1"
  local log="$tsan/race-$op${cases:+-${cases//[^a-z0-9]/}}.log" code
  PLUMB_TEST_DEVICE=cuda-emulated PLUMB_CUDA_PLUGIN=$tsan/libplumb_cuda_emulated.so PLUMB_CUDA_PRODUCT=own OMP_NUM_THREADS=1 \
    LD_PRELOAD=$(gcc -print-file-name=libtsan.so) timeout 1200 "$build/tests/device_test_$op" ${cases:+--only "$cases"} >"$log" 2>&1
  code=$?
  if [ $code -eq 0 ] && grep -q '^\[  PASSED' "$log" && ! grep -q 'WARNING: ThreadSanitizer' "$log"; then
    echo "PASS race: $op${cases:+, $cases}"
  else
    grep -m3 -E 'WARNING: ThreadSanitizer|^ERROR|    #0' "$log"
    echo "FAIL race: $op${cases:+, $cases}: with the thread sanitizer it ended with $code ($log)"
  fi
}
planted() {
  local log="$tsan/fault-$1.log"
  "$tsan/tests/cuemu/cuemu_test_faults" "$1" >"$log" 2>&1
  case $? in
    0) echo "PASS planted in the emulator: $1" ;;
    77) ;; # for other builds, which count it
    *) tail -3 "$log"; echo "FAIL planted in the emulator: $1 ($log)" ;;
  esac
}
export -f race planted

out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$tsan/tests/cuemu/cuemu_test_faults" | xargs -P2 -d '\n' -n1 bash -c 'planted "$1"' _ | tee "$out"
grep -q '^PASS' "$out" || { echo "FAIL no fault planted in the emulator was tried"; exit 1; }
# The longest first.
{
  slices | grep -v "|$other\$"
  for kernel in cuda/*.cu; do
    op=$(basename "$kernel" .cu)
    [ -e "tests/device/test_$op.c" ] || continue
    slices | grep -q "^$op|" || echo "$op"
  done
} | xargs -P2 -d '\n' -n1 bash -c 'race "$1"' _ | tee -a "$out"
! grep -q '^FAIL' "$out" && grep -q '^PASS race' "$out"
