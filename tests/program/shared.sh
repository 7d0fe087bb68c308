#!/usr/bin/env bash
# One run folder, several processes and hosts: locks that are private to each node, or none at all; owners that cannot be
# asked; killed between a unit and its sidecar; links in the folder; limits on files.
source "$(dirname "$0")/lib.sh"
shim=$(find "$PLUMB_BUILD" -name 'libshared_shim.so' | head -1) killer=$(find "$PLUMB_BUILD" -name 'libkill_shim.so' | head -1)
[ -n "$shim" ] && [ -n "$killer" ] || { fail "the shims were not built"; exit 1; }
tiny_model "$tmp/gpt2" gpt2
parity_task "$tmp" 8
cat >"$tmp/e.yaml" <<'Y'
name: shared
models: [{path: gpt2}]
tasks: [task.yaml]
arms: [{kind: prompt, shots: [0]}]
capture: {layers: all, positions: [last, mean, all]}
seed: 1
Y
run() { "$PLUMB" run "$tmp/e.yaml" --quiet --device cpu --threads 1 --results "$@"; }
nodes() { PLUMB_FLOCK=all LD_PRELOAD=$shim run "$@"; } # every node has locks of its own
lockless() { PLUMB_FLOCK=none LD_PRELOAD=$shim run "$@"; }
stopped() { grep -q '^State:.*T' "/proc/$1/status"; }
nothing_left() { ! find "$1" -name '*.tmp' -o -name '*.lock' -o -name '*.owner' -o -name '*.guard' | grep .; }
all_have_sidecars() { local f; for f in "$1"/*.h5; do [ ! -e "$f" ] || test -s "${f%.h5}.json" || return 1; done; }
check "undisturbed run" run "$tmp/calm"
calm=$(run_of "$tmp/calm")

# first RESULTS: a process that stops in the middle of a unit, its file open; sets pid.
first() {
  PLUMB_FLOCK=all PLUMB_STOP=.h5.:3 LD_PRELOAD=$shim "$PLUMB" run "$tmp/e.yaml" --quiet --device cpu --threads 1 --results "$1" >"$tmp/first.out" 2>"$tmp/first.err" &
  pid=$!
  wait_for "$1" stopped $pid || fail "no process was stopped"
}
goes_on() { kill -CONT $pid; wait $pid; }
for host in here node2; do
  name="killed with the same unit open, $host"
  first "$tmp/$host"
  if [ $host = node2 ]; then export PLUMB_HOST=node2; fi
  PLUMB_KILL=pwrite:.h5.:9 PLUMB_FLOCK=all LD_PRELOAD="$shim $killer" run "$tmp/$host" >/dev/null 2>&1
  [ $? -eq 137 ] && pass "$name" || fail "$name: not killed"
  unset PLUMB_HOST
  check "$name: the other one ends well" goes_on
  check "$name: nothing is left" nothing_left "$tmp/$host"
  check "$name: unit files are byte-identical" same_units "$calm" "$(run_of "$tmp/$host")"
  check "$name: nothing is damaged" bash -c "$PLUMB run $tmp/e.yaml --device cpu --quiet --results $tmp/$host 2>&1 >/dev/null | grep -q ' 0 computed, 3 there already' && ! ls $tmp/$host/*/units/*broken*"
done

first "$tmp/late"
check "a process that is overtaken: the other one ends well" nodes "$tmp/late"
check "... and so does it" goes_on
check "... having computed nothing that counts" grep -q '3 units: 0 computed, 3 there already' "$tmp/first.err"
check "... and says so in the log" grep -q 'another process finished it meanwhile' "$(run_of "$tmp/late")/log.txt"
check "... with the same bytes" same_units "$calm" "$(run_of "$tmp/late")"
check "... and sidecars" "$PLUMB" analyze "$(run_of "$tmp/late")" --verify
check "... and nothing left" nothing_left "$tmp/late"

pids=()
for i in 1 2 3; do nodes "$tmp/many" >/dev/null 2>"$tmp/many.$i" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" && pass "three at once" || fail "three at once: $(cat "$tmp"/many.?)"; done
check "three at once: the same bytes" same_units "$calm" "$(run_of "$tmp/many")"
check "three at once: nothing is left" nothing_left "$tmp/many"

# Killed before and after every rename of a unit and of a sidecar: none stands without the other.
for at in rename:units/:{1..6} fsync:units:{1..6}; do
  PLUMB_KILL=$at LD_PRELOAD=$killer run "$tmp/sidecar" >/dev/null 2>&1
  [ $? -eq 137 ] || continue
  units=$(run_of "$tmp/sidecar")/units
  all_have_sidecars "$units" || fail "a unit without a sidecar, killed at $at"
done
check "killed at renames: the next run finishes" run "$tmp/sidecar"
check "killed at renames: the same bytes" same_units "$calm" "$(run_of "$tmp/sidecar")"
check "killed at renames: every unit has its times" bash -c "[ \$(grep -l wall_s $tmp/sidecar/*/units/*.json | wc -l) -eq 3 ]"
lost=$(ls "$tmp"/sidecar/*/units/*.json | head -1)
rm "$lost"
check "a sidecar that is lost" run "$tmp/sidecar"
check "... is made again, and marked" grep -q '"remade": *true' "$lost"
check "... with its unit's digest" "$PLUMB" analyze "$(run_of "$tmp/sidecar")" --verify

# Without locks, the owner of a unit was killed on another host.
PLUMB_KILL=pwrite:.h5.:9 PLUMB_HOST=node2 PLUMB_FLOCK=none LD_PRELOAD="$shim $killer" run "$tmp/owner" >/dev/null 2>&1
[ $? -eq 137 ] || fail "the owner was not killed"
check "an owner that cannot be asked: the rest is computed" lockless "$tmp/owner"
cp "$tmp/check.out" "$tmp/owner.out"
check "... its age and host are said" grep -qE "1 of them are held .*: unit [0-9a-f]+ for [0-9]+ s by '[0-9a-f-]+@node2'" "$tmp/owner.out"
check "... and what to do" grep -q '1 of 3 units are still missing; when the other process has ended, the same command again' "$tmp/owner.out"
"$PLUMB" status "$(run_of "$tmp/owner")" >"$tmp/owner.status"
check "... and status says it" grep -qE "held [0-9a-f]+ for [0-9]+ s by '.*@node2'" "$tmp/owner.status"
clear=$(sed -n 's/.*if that process is gone: //p' "$tmp/owner.status")
check "... and run names the same command" grep -qF "$clear" "$tmp/owner.out"
owner=$(ls "$tmp"/owner/*/units/*.owner) && cp "$owner" "$tmp/kept"
check "... which clears it" bash -c "$clear && [ ! -e '$owner' ]"
check "... and the run is finished" lockless "$tmp/owner"
check "... with the same bytes" same_units "$calm" "$(run_of "$tmp/owner")"
cp "$tmp/kept" "$owner"
check "an owner beside a finished unit" run "$tmp/owner"
check "... goes" nothing_left "$tmp/owner"

# A folder with any name, one status file that is broken, and a log that leads elsewhere.
odd="$tmp/r [a-z]*? 'q'"
check "any characters in a path" run "$odd"
mv "$(run_of "$odd")/status.json" "$(run_of "$odd")/status-0-of-2.json"
echo '{"state": ' >"$(run_of "$odd")/status-1-of-2.json"
check "one broken status file costs its own line" bash -c '"$1" status "$2" >"$3" && grep -q "^  done.*3 of 3 units" "$3" && grep -q "status-1-of-2.json cannot be read" "$3"' - "$PLUMB" "$(run_of "$odd")" "$tmp/odd.out"
echo precious >"$tmp/victim"
ln -sf "$tmp/victim" "$(run_of "$odd")/log.txt"
expect "a log that leads elsewhere is refused" 1 'log.txt: a symbolic link, which is not followed' run "$odd"
check "... and left as it was" bash -c "[ \"\$(cat '$tmp/victim')\" = precious ]"

# Units that are links in their folder are adopted as files; what they no longer lead to is computed.
mkdir "$tmp/archive"
for f in "$calm"/units/*.h5; do mv "$f" "$tmp/archive/" && ln -s "$tmp/archive/$(basename "$f")" "$f"; done
rm "$(readlink "$(ls "$calm"/units/*.h5 | head -1)")"
check "a link that leads nowhere is a unit that is missing" bash -c "$PLUMB analyze $calm 2>&1 >/dev/null | grep -q '^(incomplete)'"
check "units that are links" run "$tmp/calm" name=heir
cp "$tmp/check.out" "$tmp/heir.out"
check "... are adopted, broken ones computed" grep -q '3 units: 1 computed, 0 there already, 2 adopted' "$tmp/heir.out"
check "... as files" bash -c "[ \$(find $tmp/calm/heir-*/units -name '*.h5' -type f | wc -l) -eq 3 ]"

# Limits: a line with the cause, and never a finished unit called broken.
many=$(run_of "$tmp/many")
limited() { # N COMMAND...: sets code; the error is in $tmp/limit.err
  bash -c 'ulimit -n "$1"; shift; exec "$@"' - "$@" >/dev/null 2>"$tmp/limit.err"
  code=$?
}
for n in {4..16}; do
  limited "$n" "$PLUMB" analyze "$many"
  [ $code -eq 0 ] || { [ $code -eq 1 ] && grep -q 'Too many open files' "$tmp/limit.err"; } ||
    fail "analyze with $n open files: exit code $code: $(tail -1 "$tmp/limit.err")"
  limited "$n" "$PLUMB" run "$tmp/e.yaml" --quiet --device cpu --threads 1 --results "$tmp/many"
  [ $code -eq 0 ] || { [ $code -eq 1 ] && grep -q 'Too many open files' "$tmp/limit.err"; } ||
    fail "run with $n open files: exit code $code: $(tail -1 "$tmp/limit.err")"
done
check "few open files: no unit was called broken" bash -c "! ls $tmp/many/*/units/*broken*"
expect "files may not grow" 1 'File too large' bash -c "ulimit -f 8; '$PLUMB' run $tmp/e.yaml --quiet --device cpu --results $tmp/small"
check "... and the next run finishes" run "$tmp/small"
check "... with the same bytes" same_units "$(run_of "$tmp/many")" "$(run_of "$tmp/small")"
cp -r "$tmp/gpt2" "$tmp/cut"
PLUMB_CUT=20000:$tmp/cut/model.safetensors LD_PRELOAD=$shim "$PLUMB" run "$tmp/e.yaml" models="[$tmp/cut]" --quiet --device cpu --results "$tmp/cut.r" >/dev/null 2>"$tmp/cut.err"
code=$?
[ $code -eq 1 ] && grep -q 'was cut short' "$tmp/cut.err" && pass "weights cut short while mapped: one line" || fail "weights cut short: exit code $code: $(tail -1 "$tmp/cut.err")"
exit $((failures > 0))
