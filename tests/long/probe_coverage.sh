#!/usr/bin/env bash
# Intervals of probes between templates hold what they say: three designs (60 to 200 items in clusters of two, 4 and 8 templates), 300
# planted runs each, none under .90. Four minutes of processor time.
cd "$(dirname "$0")/../.." || exit 1
program=build-test/tests/analysis_test_probe_coverage
[ -x "$program" ] || { echo "no $program: build the tests first"; exit 77; }
exec "$program" --long
