#!/usr/bin/env bash
# Intervals hold what they say: 2,000 simulated studies for each of 135 designs (n 40 to 800 in clusters of two, T 4 to 16, S 3 to
# 10, accuracy .5 to .975), and for each of 180 of ratios of variance components (wobble .07 to .94, S 1 to 10). At most 5 % of an
# interval's designs under .93, none under .90. Of the margin's split 500 studies for each of 54 (.92). Forty minutes on two cores.
cd "$(dirname "$0")/../.." || exit 1
bad=0
for program in build-test/tests/statistics_test_{coverage,ratio_coverage,split_coverage}; do
    [ -x "$program" ] || { echo "no $program: build the tests first"; exit 77; }
    "$program" --long || bad=1
done
exit "$bad"
