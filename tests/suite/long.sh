#!/usr/bin/env bash
# What takes long: every fuzz target for a minute; what the short suite runs without sanitizers, with them; attacks on the
# whole program in their long form; every planted fault, schedules, races; tests/long/*.sh.
source "$(dirname "$0")/common.sh"
step "long: fuzzing, a minute a parser"
build build-fuzz -DPLUMB_FUZZ=ON -DPLUMB_SANITIZE=address -DCMAKE_C_COMPILER=clang || exit 0
for target in $(find build-fuzz -type f -name 'fuzz_*' -perm -u+x); do
  name=$(basename "$target")
  work=$(mktemp -d)
  if "$target" -max_total_time=60 -rss_limit_mb=4096 -timeout=10 "$work" "tests/fuzz/corpus/${name#fuzz_}" >"build-fuzz/$name.log" 2>&1; then
    pass "$name"
  else
    tail -5 "build-fuzz/$name.log"
    fail "$name"
  fi
  rm -rf "$work"
done
step "long: simulations, whole models and chosen products on the emulated device, with sanitizers"
ctests build-asan -L speed
step "long: attacks"
export PLUMB=$PWD/build-test/plumb PLUMB_MAKE_MODEL=$PWD/build-test/plumb-make-model PLUMB_BUILD=$PWD/build-test
python3 tests/reliability/run.py --long --table build-test/reliability.md >build-test/long-attacks.log 2>&1
take build-test/long-attacks.log
grep -q '^PASS' build-test/long-attacks.log || fail "tests/reliability/run.py ran nothing"
step "long: every planted fault"
script build-test/faults-long.log tests/cuda/faults.sh build-test
step "long: CUDA: kernels under three schedules, and with the thread sanitizer"
script build-test/schedules-long.log tests/cuda/schedules.sh build-test
mkdir -p build-tsan
script build-tsan/races-long.log tests/cuda/races.sh build-test build-tsan --long
step "long: scripts"
for test in tests/long/*.sh; do
  log=build-test/long-$(basename "$test").log
  "$test" >"$log" 2>&1
  case $? in
    0) pass "$test" ;;
    77) skip "$test" ;;
    *) tail -5 "$log"; fail "$test" ;;
  esac
done
