#!/usr/bin/env bash
# The verdict on simulated studies, 2,000 each: at most 5 % of them wrong at planted differences of -.05, 0, .03 and .10, and what it
# finds (FINE-TUNE in 60 % at .10, PROMPT in 60 % at -.05, of 600 items, 16 templates, 10 draws). Some minutes on two cores.
cd "$(dirname "$0")/../.." || exit 1
# Before it the intervals of ensembles of wordings, which are among the candidates: 72 designs, 2,000 studies each.
bad=0
for program in build-test/tests/analysis_test_ensemble_coverage build-test/tests/analysis_test_verdict_studies; do
    [ -x "$program" ] || { echo "no $program: build the tests first"; exit 77; }
    "$program" --long || bad=1
done
exit "$bad"
