#!/usr/bin/env bash
# The verdict on simulated studies, 2,000 each: at most 5 % of them wrong at planted differences of -.05, 0, .03 and .10, and what it
# finds (FINE-TUNE in 60 % at .10, PROMPT in 60 % at -.05, of 600 items, 16 templates, 10 draws). Some minutes on two cores.
cd "$(dirname "$0")/../.." || exit 1
program=build-test/tests/analysis_test_verdict_studies
[ -x "$program" ] || { echo "no $program: build the tests first"; exit 77; }
exec "$program" --long
