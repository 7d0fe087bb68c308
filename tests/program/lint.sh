#!/usr/bin/env bash
# plumb validate finds each planted fault and nothing else; plumb render shows what a run stores.
source "$(dirname "$0")/lib.sh"
$python -B tests/program/lint.py "$PLUMB" "$root/experiments/tiny/large" "$tmp" || failures=1
exit $((failures > 0))
