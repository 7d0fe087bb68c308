#!/usr/bin/env bash
# The GPU suite from a build tree, on the emulated device at small size: that its script runs at the first try is shown
# without a GPU, and that its deadlines hold. From a bundle the whole of it runs (tests/program/bundle.sh): here are the
# sections that are a matter of the tree.
set -uo pipefail
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$here/run.sh" --emulated --only smoke,benchmarks,maps,sanitizer --output "$folder/tree"
code=$?

# Half a minute for what takes longer: it ends in time, nothing is red for it, and what was not reached says so.
SECONDS=0
"$here/run.sh" --emulated --only smoke,job --seconds 30 --output "$folder/short" >"$folder/log" 2>&1
short=$?
if [ $short -eq 0 ] && [ $SECONDS -lt 90 ] && grep -qE $'\tSKIP\t.*(no time left|stopped after)' "$folder/short/results.tsv"; then
  echo "PASS the deadlines hold: 30 s asked for, $SECONDS s taken"
else
  echo "FAIL deadlines: 30 s asked for, $SECONDS s taken, exit code $short"
  grep FAIL "$folder/short/results.tsv"
  code=1
fi
exit $code
