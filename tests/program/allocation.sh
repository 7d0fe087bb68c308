#!/usr/bin/env bash
# Memory that runs out: allocations of run, analyze, extract and inspect fail one by one (tests/reliability/allocation.py,
# which says what must hold; `allocation.py --all` takes every one of them).
source "$(dirname "$0")/lib.sh"
export PLUMB PLUMB_MAKE_MODEL PLUMB_BUILD
memory=/dev/shm # a thousand small runs: not on a disk that is synced each time
[ -w $memory ] || memory=$tmp
if TMPDIR=$memory $python tests/reliability/allocation.py --seconds "${PLUMB_ALLOCATION_S:-40}" | tee "$tmp/allocation.out"; then
  pass "a failed allocation ends in the right bytes or in 'out of memory'"
else
  fail "a failed allocation does harm"
fi
exit $((failures > 0))
