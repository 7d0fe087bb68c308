#!/usr/bin/env bash
# Unit, golden and fuzz-seed tests with the address and undefined-behaviour sanitizers, on the CPU and on the emulated
# CUDA backend. A test program is one test; the cases it skipped are counted as well.
source "$(dirname "$0")/common.sh"
export ASAN_OPTIONS=detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1

step "build with address and undefined-behaviour sanitizers"
build build-asan -DPLUMB_SANITIZE=address -DCMAKE_BUILD_TYPE=RelWithDebInfo || exit 1
for part in plumb libplumb_cuda_emulated.so $(basename -s .c tests/fuzz/fuzz_*.c); do
  found=$(find build-asan -type f -name "$part" -perm -u+x | head -1)
  [ -n "$found" ] || { fail "$part was not built"; continue; }
  # Counted, not `grep -q`: with pipefail, nm's broken pipe after an early match would read as "not found".
  [ "$(nm -D "$found" | grep -c __asan_init)" -gt 0 ] || fail "$part is not built with sanitizers"
done

step "unit, golden and fuzz-seed tests, with sanitizers"
log=build-asan/suite.log xml=build-asan/junit.xml
(cd build-asan && ctest -j2 --timeout 1800 --output-on-failure --output-junit junit.xml) >"$log" 2>&1
grep -E '^ *[0-9]+/[0-9]+ .*(Failed|Timeout|\*\*\*)|^\[ *(FAILED|ERROR) *\]|SUMMARY: .*Sanitizer' "$log" | head -60
# One line a test program, from the JUnit file: its name and how it ended.
awk '/<testcase / {match($0, /name="[^"]*"/); name = substr($0, RSTART + 6, RLENGTH - 7); end = "PASS"}
     /<failure/ {end = "FAIL"} /<skipped/ {end = "SKIP"}
     /<\/testcase>|<testcase [^>]*\/>/ {print end, name}' "$xml" >build-asan/results.txt
grep '^\[  SKIPPED \]' build-asan/Testing/Temporary/LastTest.log | grep -v 'test(s)' | sed 's/^\[  SKIPPED \]/SKIP case/' |
  sort -u >>build-asan/results.txt
take build-asan/results.txt
grep -q '^PASS' build-asan/results.txt || fail "build-asan ran no test"
# The emulated CUDA backend needs nothing that may be absent: none of its tests may be skipped.
grep -q ' cuda-emulated/' build-asan/results.txt || fail "no test ran on the emulated CUDA backend"
if grep -q '^SKIP cuda-emulated/test_' build-asan/results.txt; then fail "an op test was skipped on the emulated CUDA backend"; fi
