#!/usr/bin/env bash
# Prints the counts of a file of PASS, FAIL and SKIP lines; ends with 1 when one failed or none passed.
passed=$(grep -c '^PASS' "$1") failed=$(grep -c '^FAIL' "$1") skipped=$(grep -c '^SKIP' "$1")
[ "$failed" -eq 0 ] || { echo "failed:"; grep '^FAIL' "$1"; }
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
