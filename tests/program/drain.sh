#!/usr/bin/env bash
# SIGUSR1, SIGTERM and SIGINT stop a run after the unit in work: 75 ("put me back in the queue"), or 130 for Ctrl-C; the
# next run goes on to the same bytes. `status` says what became of it, and `status --watch` ends.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
run() { "$PLUMB" run tests/program/random.yaml models="[$tmp/gpt2]" --quiet --threads 1 "$@"; }
some_units() { ls "$1"/*/units/*.h5 >/dev/null 2>&1; }
# In the background of a script SIGINT is ignored; env gives it its effect back.
start() { # RESULTS: sets pid
  env --default-signal=INT "$PLUMB" run tests/program/random.yaml models="[$tmp/gpt2]" --quiet --threads 1 --results "$1" >"$tmp/out" 2>"$tmp/err" &
  pid=$!
}
check "undisturbed run" run --results "$tmp/calm"
state_of_run() { "$PLUMB" status "$1" --json | $python -c 'import json, sys; print(json.load(sys.stdin)["state"])'; }
for case in USR1:75:drained TERM:75:drained INT:130:interrupted; do
  IFS=: read -r signal code state <<<"$case"
  start "$tmp/$signal"
  # The signal comes as soon as the first unit is there, with most of the plan still to do.
  wait_for "$tmp/$signal" some_units "$tmp/$signal" || fail "SIG$signal: no unit"
  kill -"$signal" $pid
  wait $pid 2>/dev/null
  got=$?
  [ $got -eq "$code" ] && pass "SIG$signal: exit code $code" || { fail "SIG$signal: exit code $got, expected $code"; cat "$tmp/err"; }
  folder=$(run_of "$tmp/$signal")
  check "SIG$signal: says so" grep -qE "$state by a signal; [0-9]+ of [0-9]+ units are finished and kept; to go on: plumb run .*/experiment.yaml" "$tmp/err"
  [ "$signal" != INT ] || check "SIGINT: is answered at once" grep -q 'Ctrl-C again ends at once' "$tmp/err"
  check "SIG$signal: status says $state" test "$(state_of_run "$folder")" = "$state"
  check "SIG$signal: the last line says what to do" bash -c "'$PLUMB' status '$folder' | tail -1 | grep -qE '^$state: .*run the same command again'"
  check "SIG$signal: status --watch ends" "$PLUMB" status "$folder" --watch
  check "SIG$signal: the command that it names finishes the run" bash -c "'$PLUMB' $(sed -n 's/.*to go on: plumb //p' "$tmp/err") --quiet --threads 1"
  check "SIG$signal: unit files are byte-identical" same_units "$(run_of "$tmp/calm")" "$folder"
  check "SIG$signal: status says done" test "$(state_of_run "$folder")" = done
done

# Killed: nobody could write that down.
start "$tmp/KILL"
wait_for "$tmp/KILL" some_units "$tmp/KILL" || fail "no unit"
folder=$(run_of "$tmp/KILL")
check "a run that goes on is running" test "$(state_of_run "$folder")" = running
kill -KILL $pid
wait $pid 2>/dev/null
check "a killed run is dead" test "$(state_of_run "$folder")" = dead
check "a killed run: status --watch ends" "$PLUMB" status "$folder" --watch
echo '{"state": ' >"$folder/status-1-of-2.json"
check "a broken status file costs its own line" bash -c "'$PLUMB' status '$folder' | grep -q 'status-1-of-2.json cannot be read' && '$PLUMB' status '$folder' | tail -1 | grep -q '^dead: '"

# A loop of a shell stops at Ctrl-C only when the program died of the signal, not when it ended with 130.
check "Ctrl-C ends it by the signal" $python - "$PLUMB" "$tmp" <<'P'
import glob, signal, subprocess, sys, time
plumb, tmp = sys.argv[1:]
run = subprocess.Popen([plumb, "run", "tests/program/random.yaml", f"models=[{tmp}/gpt2]", "--quiet", "--threads", "1", "--results", tmp + "/died"],
                       preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) # a job in the background ignores it
while not glob.glob(tmp + "/died/*/units/*.h5") and run.poll() is None:
    time.sleep(0.01)
run.send_signal(signal.SIGINT)
assert run.wait() == -signal.SIGINT, run.returncode
P
exit $((failures > 0))
