#!/usr/bin/env bash
# Calibrated similarity finds what is not there in 5 % of runs, and what is there: three designs (nothing in common; the label in common,
# permuted within labels; the items in common), 300 runs each. A minute of processor time.
cd "$(dirname "$0")/../.." || exit 1
program=build-test/tests/measure_test_similarity_level
[ -x "$program" ] || { echo "no $program: build the tests first"; exit 77; }
exec "$program" --long
