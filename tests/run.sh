#!/usr/bin/env bash
# Builds everything with sanitizers and runs everything; ends with the counts of passed, failed and skipped.
#
#   tests/run.sh           the short suite (CI): under 15 minutes on 2 cores, packages and builds included
#   tests/run.sh --long    also: every fuzz target for a minute, megabytes of random Unicode against PyPI tokenizers,
#                          registers and spills of the kernels (nvcc)
#
# What needs data that is not shipped looks for it in $PLUMB_DATA (default: ../shared/data) and counts a SKIP without it.
# A part that should have been built and is not there fails the suite.
set -uo pipefail
cd "$(dirname "$0")/.."
long=0
[ "${1:-}" = --long ] && long=1

passed=0 failed=0 skipped=0
fail() { echo "FAIL: $*"; failed=$((failed + 1)); }
step() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
finish() {
  step "done"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] && exit 0
  exit 1
}

step "packages"
./experiments/setup.sh test || { fail "packages"; finish; }

step "structure"
if tests/layering.sh; then passed=$((passed + 1)); else fail "tests/layering.sh"; fi

# A build in its own folder; $1 folder, the rest goes to CMake.
build() {
  local folder=$1
  shift
  cmake -S . -B "$folder" -G Ninja "$@" >"$folder.log" 2>&1 && ninja -C "$folder" --quiet >>"$folder.log" 2>&1 && return 0
  grep -E 'error|Error|FAILED' "$folder.log" | head -20
  tail -5 "$folder.log"
  fail "build $folder (see $folder.log)"
  return 1
}

# Runs ctest in a build folder and adds its counts: a test program is one test; the cases it skipped are counted as well.
suite() {
  local folder=$1 log=$1/suite.log xml=$1/junit.xml
  shift
  (cd "$folder" && ctest -j2 --timeout 900 --output-on-failure --output-junit junit.xml "$@") >"$log" 2>&1
  grep -E '^ *[0-9]+/[0-9]+ .*(Failed|Timeout|\*\*\*)|^\[ *(FAILED|ERROR) *\]|SUMMARY: .*Sanitizer' "$log" | head -60
  local n_failed n_skipped n_run n_cases
  n_run=$(grep -c '<testcase ' "$xml")
  n_failed=$(grep -c '<failure' "$xml")
  n_skipped=$(grep -cE '<skipped' "$xml")
  n_cases=$(grep -c '^\[  SKIPPED \] .*' "$folder/Testing/Temporary/LastTest.log")
  passed=$((passed + n_run - n_failed - n_skipped))
  failed=$((failed + n_failed))
  skipped=$((skipped + n_skipped))
  [ "$n_cases" -gt 0 ] && { echo "skipped cases inside test programs (data or tool absent):"; grep -h '^\[  SKIPPED \]' "$folder/Testing/Temporary/LastTest.log" | grep -v 'test(s)' | sort -u; skipped=$((skipped + $(grep '^\[  SKIPPED \]' "$folder/Testing/Temporary/LastTest.log" | grep -vc 'test(s)'))); }
  [ "$n_run" -gt 0 ] || fail "$folder ran no test"
}

step "build with address and undefined-behaviour sanitizers"
export ASAN_OPTIONS=detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1
build build-asan -DPLUMB_SANITIZE=address -DCMAKE_BUILD_TYPE=RelWithDebInfo || finish
for part in plumb libplumb_cuda_emulated.so fuzz_safetensors fuzz_json fuzz_tokenizer fuzz_yaml fuzz_jinja fuzz_csv; do
  found=$(find build-asan -type f -name "$part" -perm -u+x | head -1)
  [ -n "$found" ] || { fail "$part was not built"; continue; }
  # Counted, not `grep -q`: with pipefail, nm's broken pipe after an early match would read as "not found".
  [ "$(nm -D "$found" | grep -c __asan_init)" -gt 0 ] || fail "$part is not built with sanitizers"
done

step "unit, golden and fuzz-seed tests, with sanitizers"
suite build-asan
# The emulated CUDA backend needs nothing that may be absent: none of its tests may be skipped.
n_emulated=$(grep -c '<testcase name="cuda-emulated/' build-asan/junit.xml)
[ "$n_emulated" -gt 0 ] || fail "no test ran on the emulated CUDA backend"
if grep -A3 '<testcase name="cuda-emulated/test_' build-asan/junit.xml | grep -q '<skipped'; then fail "an op test was skipped on the emulated CUDA backend"; fi

step "build for speed"
build build-test -DCMAKE_BUILD_TYPE=Release || finish

step "CUDA: planted faults turn the op tests red"
tests/cuda/faults.sh build-test >build-test/faults.log 2>&1 || grep -q '^FAIL' build-test/faults.log || fail "tests/cuda/faults.sh ended badly"
grep '^FAIL' build-test/faults.log
passed=$((passed + $(grep -c '^PASS' build-test/faults.log)))
failed=$((failed + $(grep -c '^FAIL' build-test/faults.log)))

step "CUDA: kernels with the thread sanitizer"
# Only the plug-in is built with it; the op tests are those of the build for speed, so no race of theirs is looked for.
# A race ends a test with 66.
race() {
  local log=build-tsan/$1${3:+-$3}.log
  PLUMB_TEST_DEVICE=cuda-emulated PLUMB_CUDA_PLUGIN=$PWD/build-tsan/libplumb_cuda_emulated.so PLUMB_CUDA_PRODUCT=own \
    OMP_NUM_THREADS=1 LD_PRELOAD=$(gcc -print-file-name=libtsan.so) timeout 300 "build-test/tests/device_$1" "${@:2}" >"$log" 2>&1
  local code=$?
  if [ $code -eq 0 ] && grep -q '^\[  PASSED' "$log" && ! grep -q 'WARNING: ThreadSanitizer' "$log"; then echo "PASS $1"; else
    grep -m3 -E 'WARNING: ThreadSanitizer|^ERROR|    #0' "$log"
    echo "FAIL: $1 ${*:2} with the thread sanitizer ended with $code"
  fi
}
if cmake -S . -B build-tsan -G Ninja -DPLUMB_SANITIZE=thread >build-tsan.log 2>&1 && ninja -C build-tsan --quiet plumb_cuda_emulated >>build-tsan.log 2>&1; then
  for name in attention convert copy embed gate gather head_norm kv norm pairwise pool rotary; do race test_$name; done >build-tsan/races.log
  for type in float32 bfloat16; do for name in linear score; do race test_$name --only "$type"; done; done >>build-tsan/races.log
  grep -v '^PASS' build-tsan/races.log
  passed=$((passed + $(grep -c '^PASS' build-tsan/races.log)))
  failed=$((failed + $(grep -c '^FAIL' build-tsan/races.log)))
else
  fail "build-tsan (see build-tsan.log)"
fi

step "whole-program tests"
# Each prints lines PASS/FAIL/SKIP; their counts add up.
export PLUMB=$PWD/build-test/plumb PLUMB_MAKE_MODEL=$PWD/build-test/plumb-make-model PLUMB_BUILD=$PWD/build-test
for script in tests/program/{main,invariance,input,disk,drain,kill,device,bundle}.sh tests/slurm/run.sh tests/gpu/{run,emulated}.sh; do
  [ -x "$script" ] || { fail "$script is missing"; continue; }
  log=build-test/$(basename "$(dirname "$script")")-$(basename "$script" .sh).log
  timeout 900 "$script" >"$log" 2>&1
  code=$?
  grep -E '^(FAIL|SKIP)' "$log"
  passed=$((passed + $(grep -c '^PASS' "$log")))
  skipped=$((skipped + $(grep -c '^SKIP' "$log")))
  failed=$((failed + $(grep -c '^FAIL' "$log")))
  if [ $code -ne 0 ] && ! grep -q '^FAIL' "$log"; then tail -5 "$log"; fail "$script ended with $code"; fi
  if ! grep -qE '^(PASS|SKIP|FAIL)' "$log"; then fail "$script ran no test"; fi
done

if [ $long -eq 1 ]; then
  step "long: fuzzing, a minute a parser"
  build build-fuzz -DPLUMB_FUZZ=ON -DPLUMB_SANITIZE=address -DCMAKE_C_COMPILER=clang || finish
  for target in $(find build-fuzz -type f -name 'fuzz_*' -perm -u+x); do
    name=$(basename "$target")
    work=$(mktemp -d)
    if "$target" -max_total_time=60 -rss_limit_mb=4096 -timeout=10 "$work" "tests/fuzz/corpus/${name#fuzz_}" >"build-fuzz/$name.log" 2>&1; then
      passed=$((passed + 1))
    else
      tail -5 "build-fuzz/$name.log"; fail "$name"
    fi
    rm -rf "$work"
  done
  step "long: scripts"
  for script in tests/long/*.sh; do
    [ -e "$script" ] || continue
    if "$script" >"build-test/long-$(basename "$script").log" 2>&1; then passed=$((passed + 1)); else
      if [ $? -eq 77 ]; then echo "SKIP $script"; skipped=$((skipped + 1)); else tail -5 "build-test/long-$(basename "$script").log"; fail "$script"; fi
    fi
  done
fi
finish
