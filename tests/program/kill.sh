#!/usr/bin/env bash
# Killed with SIGKILL more than 50 times, some of them inside a write, a flush, a rename and the merge at the end, and
# run again each time: the unit files and the table end with the same bytes as an undisturbed run's.
source "$(dirname "$0")/lib.sh"
shim=$(find "$PLUMB_BUILD" -name 'libkill_shim.so' | head -1)
[ -n "$shim" ] || { fail "the shim was not built"; exit 1; }

kills=0
# run_once RESULTS: the experiment under torture ($exp, ${args[@]}).
run_once() { "$PLUMB" run "$exp" "${args[@]}" --quiet --results "$1"; }

forced() { # CALL:PART:N
  PLUMB_KILL=$1 LD_PRELOAD=$shim "$PLUMB" run "$exp" "${args[@]}" --quiet --results "$work/killed" >/dev/null 2>&1
  [ $? -eq 137 ] && kills=$((kills + 1)) && echo "$name: killed at $1" || fail "$name: not killed at $1"
}

forced_in_units() {
  local n
  for n in 1 2 3 5 8 13 21 40; do forced "pwrite:.h5.:$n"; done
  for n in 1 2 3; do forced "fdatasync:.h5.:$n"; forced "rename:.h5:$n"; forced "fsync:units:$n"; done
  for n in 1 2; do forced "write:.tmp:$n"; forced "rename:status.json:$n"; forced "write:log.txt:$((n + 1))"; done
}

# After a random share of what an undisturbed run takes.
at_any_moment() { # times, seconds of an undisturbed run
  local pid
  for _ in $(seq "$1"); do
    "$PLUMB" run "$exp" "${args[@]}" --quiet --results "$work/killed" >/dev/null 2>&1 &
    pid=$!
    sleep "$(python3 -c "print(max(0.02, min(0.15, $2 / 10)) * ($RANDOM / 32768 + 0.1))")"
    kill -9 $pid 2>/dev/null && kills=$((kills + 1))
    wait $pid 2>/dev/null
    echo "$name: killed $kills times"
  done
}

# Every unit is there; the last files are being written.
forced_in_the_merge() {
  local part
  for part in stability.csv results samples table.txt analysis.json DONE; do
    run_once "$work/killed" >/dev/null 2>&1
    rm -f "$(run_of "$work/killed")"/{DONE,analysis.json} # or nothing would be made again
    forced "rename:$part:1"
  done
}

compare() {
  local calm killed file
  calm=$(run_of "$work/calm") killed=$(run_of "$work/killed")
  check "$name: unit files are byte-identical" same_units "$calm" "$killed"
  for file in "$calm"/stability.csv "$calm"/results*.json "$calm"/samples_*.jsonl; do
    check "$name: $(basename "$file") is byte-identical" cmp "$file" "$killed/$(basename "$file")"
  done
  check "$name: no .tmp or .lock is left" bash -c "! find $killed -name '*.tmp' -o -name '*.lock' | grep ."
  if ! $python -c 'import h5py' 2>/dev/null; then skip "h5py is not installed"; return; fi
  check "$name: every unit file opens in h5py" $python -c "
import glob, h5py
files = glob.glob('$killed/units/*.h5'); assert files
for p in files:
    with h5py.File(p) as f: assert f['uns/plumb/complete'][()] == 1 and f['obs/doc_id'].shape[0] > 0"
}

torture() { # name, experiment, random kills, 1: forced kills as well
  name=$1 exp=$2 work=$tmp/$1
  local start seconds
  mkdir -p "$work"
  start=$(date +%s.%N)
  check "$name: undisturbed run" run_once "$work/calm"
  seconds=$(python3 -c "import time; print(time.time() - $start)")
  [ "$4" = 1 ] && forced_in_units
  at_any_moment "$3" "$seconds"
  [ "$4" = 1 ] && forced_in_the_merge
  check "$name: the run after the kills" run_once "$work/killed"
  compare
}

RANDOM=1
args=()
if [ -d "$PLUMB_DATA/models/stories260K" ]; then
  source tests/program/real_input.sh
  real_input "$tmp"
  torture sst2 "$tmp/real-sst2.yaml" 40 1
  torture imdb "$tmp/real-imdb.yaml" 10 0
else
  skip "kill on real input: no $PLUMB_DATA (the demo's models and tasks instead)"
  tiny_model "$tmp/gpt2" gpt2
  tiny_model "$tmp/llama" llama
  args=(models="[$tmp/gpt2, $tmp/llama]")
  torture demo experiments/demo.yaml 40 1
fi
[ $kills -ge 50 ] && pass "killed $kills times" || fail "killed only $kills times"
exit $((failures > 0))
