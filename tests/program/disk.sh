#!/usr/bin/env bash
# A full disk and a folder that cannot be written: one clear line, exit code 1, and what was finished stays.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
run() { "$PLUMB" run tests/program/random.yaml models="[$tmp/gpt2]" --quiet "$@"; }

touch "$tmp/file"
expect "results inside a file" 1 'file.*(folder|directory)' run --results "$tmp/file/results"

mkdir "$tmp/small"
if ! mount -t tmpfs -o size=3m tmpfs "$tmp/small" 2>/dev/null; then
  skip "a full disk: mounting a small file system needs root"
  exit $((failures > 0))
fi
trap 'umount "$tmp/small" 2>/dev/null; rm -rf "$tmp"' EXIT
expect "a full disk" 1 '(No space left|full)' run --results "$tmp/small"
folder=$(run_of "$tmp/small")
before=$(ls "$folder"/units/*.h5 2>/dev/null | wc -l)
[ "$before" -gt 0 ] && pass "$before units were finished before the disk was full" || fail "no unit was finished"
check "no .tmp is left on the full disk" bash -c "! ls $folder/units/*.tmp 2>/dev/null"
mount -o remount,size=200m "$tmp/small"
check "with room again, the run goes on" run --results "$tmp/small"
run --results "$tmp/calm" >/dev/null 2>&1
check "unit files are byte-identical" same_units "$(run_of "$tmp/calm")" "$folder"

mount -o remount,ro "$tmp/small"
expect "a file system that cannot be written" 1 '(Read-only|cannot)' run name=readonly --results "$tmp/small"
exit $((failures > 0))
