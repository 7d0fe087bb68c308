#!/usr/bin/env bash
# Builds everything with sanitizers and runs everything; ends with the counts of passed, failed and skipped.
#
#   tests/run.sh           the short suite (CI): under 20 minutes on 2 cores, packages and builds included
#   tests/run.sh --long    also: every fuzz target for a minute; with sanitizers what the short suite runs without (certificate,
#                          simulations, whole models and chosen products on the emulated device); attacks on the whole
#                          program in their long form (tests/reliability, counts in results/benchmarks/reliability.md); every
#                          planted fault, three schedules and more cases under the thread sanitizer; megabytes of random
#                          Unicode against PyPI tokenizers; three training steps of SmolLM2's layers on the emulated device;
#                          registers and spills of the kernels (nvcc); coverage of intervals by simulation
#   tests/suite/unit.sh    one part by itself
#
# What needs data that is not shipped looks for it in $PLUMB_DATA (default: ../shared/data) and counts a SKIP without it; the two
# real models that come with pip are $PLUMB_SMOLLM2 and $PLUMB_GEMMA3 (default: where experiments/data/fetch-* put them).
# A part that should have been built and is not there fails the suite.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
parts=(structure unit build kernels program)
[ "${1:-}" = --long ] && parts+=(long)

PLUMB_COUNTS=$(mktemp)
export PLUMB_COUNTS
finish() {
  printf '\n== done (%d s)\n' "$SECONDS"
  tests/suite/total.sh "$PLUMB_COUNTS"
  local code=$?
  rm -f "$PLUMB_COUNTS"
  exit $code
}
printf '== packages\n'
./experiments/setup.sh test || { echo "FAIL packages" >>"$PLUMB_COUNTS"; finish; }
for part in "${parts[@]}"; do
  PLUMB_SUITE_S=$SECONDS tests/suite/$part.sh || { echo "FAIL tests/suite/$part.sh could not go on" >>"$PLUMB_COUNTS"; finish; }
done
finish
