#!/usr/bin/env bash
# SIGUSR1 and SIGTERM drain a run: exit code 75 after the unit in work, and the next run goes on to the same bytes.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
run() { exec "$PLUMB" run experiments/demo.yaml models="[$tmp/gpt2]" --quiet "$@"; }
(run --results "$tmp/calm") >/dev/null 2>&1 || fail "undisturbed run"
for signal in USR1 TERM; do
  (run --results "$tmp/$signal") >"$tmp/out" 2>"$tmp/err" &
  pid=$!
  # The signal comes as soon as the first unit is there, with most of the plan still to do.
  for _ in $(seq 500); do ls "$tmp/$signal"/*/units/*.h5 >/dev/null 2>&1 && break; sleep 0.01; done
  kill -$signal $pid
  wait $pid
  code=$?
  [ $code -eq 75 ] && pass "SIG$signal: exit code 75" || { fail "SIG$signal: exit code $code"; cat "$tmp/err"; }
  check "SIG$signal: says so" grep -qE '[0-9]+ of [0-9]+ units are finished and kept; to go on: plumb run .*/experiment.yaml' "$tmp/err"
  check "SIG$signal: status says drained" grep -q drained "$(run_of "$tmp/$signal")/status.json"
  check "SIG$signal: the command that it names finishes the run" bash -c "$PLUMB $(sed -n 's/.*to go on: plumb //p' "$tmp/err") --quiet"
  check "SIG$signal: unit files are byte-identical" same_units "$(run_of "$tmp/calm")" "$(run_of "$tmp/$signal")"
done
exit $((failures > 0))
