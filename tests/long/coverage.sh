#!/usr/bin/env bash
# Intervals hold what they say: 2,000 simulated studies for each of 135 designs (n 40 to 800 in clusters of two, T 4 to 16, S 3 to
# 10, accuracy .5 to .975). At most 5 % of an interval's designs under .93, none under .90. Half an hour on two cores.
cd "$(dirname "$0")/../.." || exit 1
program=build-test/tests/statistics_test_coverage
[ -x "$program" ] || { echo "no $program: build the tests first"; exit 77; }
exec "$program" --long
