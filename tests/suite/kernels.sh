#!/usr/bin/env bash
# Planted faults turn the op tests red: the CUDA kernels' on the emulated device, and the training ops' on the CPU. The
# CUDA kernels are right under three schedules, and have no data races (thread sanitizer).
source "$(dirname "$0")/common.sh"
step "certificate of the engine at all sizes: sanitized builds leave the smallest out"
if build-test/tests/engine_test_certificate >build-test/certificate.log 2>&1; then pass "engine/test_certificate at all sizes"; else
  grep -m3 -E 'ERROR|FAILED' build-test/certificate.log
  fail "engine/test_certificate at all sizes (build-test/certificate.log)"
fi

step "CUDA: whole models on the emulated device"
ctests build-test -L models

step "training ops: planted faults turn their tests red"
script build-test/faults-training.log tests/device/faults.sh build-test
script build-test/faults-ranks.log tests/train/faults.sh build-test

step "CUDA: planted faults turn the op tests red, two an op"
script build-test/faults.log tests/cuda/faults.sh build-test 2

step "CUDA: kernels under three schedules"
script build-test/schedules.log tests/cuda/schedules.sh build-test

step "CUDA: kernels with the thread sanitizer"
# Only the plug-in is built with it; the op tests are those of the build for speed, so no race of theirs is looked for.
# A race ends a test with 66.
race() {
  local log=build-tsan/$1${3:+-$3}.log code
  PLUMB_TEST_DEVICE=cuda-emulated PLUMB_CUDA_PLUGIN=$PWD/build-tsan/libplumb_cuda_emulated.so PLUMB_CUDA_PRODUCT=own \
    OMP_NUM_THREADS=1 LD_PRELOAD=$(gcc -print-file-name=libtsan.so) timeout 1200 "build-test/tests/device_$1" "${@:2}" >"$log" 2>&1
  code=$?
  if [ $code -eq 0 ] && grep -q '^\[  PASSED' "$log" && ! grep -q 'WARNING: ThreadSanitizer' "$log"; then echo "PASS race $*"; else
    grep -m3 -E 'WARNING: ThreadSanitizer|^ERROR|    #0' "$log"
    echo "FAIL race: $* with the thread sanitizer ended with $code"
  fi
}
# What is planted in kernels of the emulator's own tests is seen.
planted() {
  build-tsan/tests/cuemu/cuemu_test_faults "$1" >"build-tsan/fault-$1.log" 2>&1
  case $? in
  0) echo "PASS planted in the emulator: $1" ;;
  77) ;; # for other builds, which count it
  *) tail -3 "build-tsan/fault-$1.log"; echo "FAIL planted in the emulator: $1 (build-tsan/fault-$1.log)" ;;
  esac
}
if cmake -S . -B build-tsan -G Ninja -DPLUMB_SANITIZE=thread >build-tsan.log 2>&1 && ninja -C build-tsan --quiet plumb_cuda_emulated cuemu_test_faults >>build-tsan.log 2>&1; then
  for fault in $(build-tsan/tests/cuemu/cuemu_test_faults); do two_at_a_time planted "$fault"; done >build-tsan/planted.log
  wait
  take build-tsan/planted.log
  grep -q '^PASS' build-tsan/planted.log || fail "no fault planted in the emulator was tried"
  # Each op that has a kernel; products, which take long, with two types.
  for kernel in cuda/*.cu; do
    name=$(basename "$kernel" .cu)
    [ -e "tests/device/test_$name.c" ] || continue
    case $name in
      linear | score | linear_backward | score_backward) for type in float32 bfloat16; do two_at_a_time race "test_$name" --only "$type"; done ;;
      norm_backward) two_at_a_time race "test_$name" --only "[300, 100]" ;; # 5,000 wide takes many minutes
      head_norm_backward) for width in "D 80" "D 1500"; do two_at_a_time race "test_$name" --only "$width"; done ;; # by warps, by blocks
      logistic) two_at_a_time race "test_$name" --only spoilt ;;
      *) two_at_a_time race "test_$name" ;;
    esac
  done >build-tsan/races.log
  wait
  take build-tsan/races.log
else
  fail "build-tsan (see build-tsan.log)"
fi
