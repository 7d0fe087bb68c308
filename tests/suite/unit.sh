#!/usr/bin/env bash
# Unit, golden and fuzz-seed tests with the address and undefined-behaviour sanitizers, on the CPU and, op by op, on the
# emulated CUDA backend. What takes minutes so runs without (build.sh), and with sanitizers in the long suite.
source "$(dirname "$0")/common.sh"

step "build with address and undefined-behaviour sanitizers"
build build-asan -DPLUMB_SANITIZE=address -DCMAKE_BUILD_TYPE=RelWithDebInfo || exit 1
for part in plumb libplumb_cuda_emulated.so $(basename -s .c tests/fuzz/fuzz_*.c); do
  found=$(find build-asan -type f -name "$part" -perm -u+x | head -1)
  [ -n "$found" ] || { fail "$part was not built"; continue; }
  # Counted, not `grep -q`: with pipefail, nm's broken pipe after an early match would read as "not found".
  [ "$(nm -D "$found" | grep -c __asan_init)" -gt 0 ] || fail "$part is not built with sanitizers"
done

step "unit, golden and fuzz-seed tests, with sanitizers"
ctests build-asan -LE speed
# The emulated CUDA backend needs nothing that may be absent: none of its tests may be skipped.
grep -q ' cuda-emulated/' build-asan/results.txt || fail "no test ran on the emulated CUDA backend"
if grep -q '^SKIP cuda-emulated/test_' build-asan/results.txt; then fail "an op test was skipped on the emulated CUDA backend"; fi
