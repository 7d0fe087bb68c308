#!/usr/bin/env bash
# The analysis of a run is not made again when nothing changed, is made again when anything did, and what is printed is
# what a fresh analysis prints. Whether it was made is told by stability.csv: it is then another file (inode).
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
parity_task "$tmp" 8
cat >"$tmp/e.yaml" <<'Y'
name: again
models: [{path: gpt2}]
tasks: [task.yaml]
arms: [{kind: prompt, shots: [0], readout: [loglikelihood, generate]}]
capture: {layers: all, positions: [last]}
seed: 1
Y
go() { "$PLUMB" run "$tmp/e.yaml" --quiet --device cpu --threads 1 --results "$tmp/r" "$@"; }
check "run finishes" go
run=$(run_of "$tmp/r")
cp -r "$run" "$tmp/fresh"
"$PLUMB" analyze "$tmp/fresh" >"$tmp/fresh.txt" 2>/dev/null
"$PLUMB" analyze "$tmp/fresh" --json | sed "s#$tmp/fresh#RUN#" >"$tmp/fresh.json"
made() { stat -c %i "$run/stability.csv"; }
same_results() {
  local file
  for file in stability.csv results.json samples_parity.jsonl; do cmp "$run/$file" "$tmp/fresh/$file" || return 1; done
}

# kept NAME COMMAND..., again NAME COMMAND...: the results are kept, or made again; either way they are the fresh ones.
kept() {
  local name=$1 before
  shift
  before=$(made)
  "$@" >"$tmp/again.txt" 2>/dev/null
  [ "$(made)" = "$before" ] && cmp -s "$tmp/again.txt" "$tmp/fresh.txt" && same_results && pass "kept: $name" || fail "kept: $name"
}
again() {
  local name=$1 before
  shift
  ln -f "$run/stability.csv" "$tmp/hold" # so that its inode is not given to the new one
  before=$(made)
  "$@" >"$tmp/again.txt" 2>/dev/null
  [ "$(made)" != "$before" ] && cmp -s "$tmp/again.txt" "$tmp/fresh.txt" && same_results && pass "again: $name" || fail "again: $name"
  rm -f "$tmp/hold"
  "$PLUMB" analyze "$run" >/dev/null 2>&1 # the link was a change of its own
}

kept "analyze" "$PLUMB" analyze "$run"
kept "analyze, relative path" bash -c "cd '$tmp/r' && '$PLUMB' analyze '$(basename "$run")'"
kept "run" go
kept "analyze --verify" "$PLUMB" analyze "$run" --verify
before=$(made)
"$PLUMB" analyze "$run" --json | sed "s#$run#RUN#" >"$tmp/1.json"
"$PLUMB" analyze "$run" --json | sed "s#$run#RUN#" >"$tmp/2.json"
check "JSON is that of a fresh analysis" cmp "$tmp/1.json" "$tmp/fresh.json"
check "JSON the second time too" cmp "$tmp/2.json" "$tmp/fresh.json"
kept "text after JSON" "$PLUMB" analyze "$run"
kept "with the whole table, and layers of it, before" bash -c "
  '$PLUMB' analyze '$run' --full >'$tmp/full.txt' && '$PLUMB' analyze '$run' --layers final_norm >'$tmp/layers.txt' && '$PLUMB' analyze '$run'"
check "which are the table, and lines of it" bash -c "
  cmp '$tmp/full.txt' '$run/table.txt' && grep -q '^  last final_norm ' '$tmp/layers.txt' && ! grep -q '^  last 00 ' '$tmp/layers.txt'"
unit=$(ls "$run"/units/*.h5 | head -1)
again "a unit was touched" bash -c "touch '$unit'; '$PLUMB' analyze '$run'"
again "a unit is another file" bash -c "cp -p '$unit' '$tmp/u' && mv '$tmp/u' '$unit' && '$PLUMB' analyze '$run'"
again "a file of units came" bash -c "cp '$unit' '$run/units/x.h5'; '$PLUMB' analyze '$run'"
again "a file of units went" bash -c "rm '$run/units/x.h5'; '$PLUMB' analyze '$run'"
again "a result was edited" bash -c "echo x >>'$run/results.json'; '$PLUMB' analyze '$run'"
again "a result keeps its size and time" bash -c "touch -r '$run/results.json' '$tmp/t'; sed -i s/plumb/plomb/ '$run/results.json'; touch -r '$tmp/t' '$run/results.json'; '$PLUMB' analyze '$run'"
again "samples are gone" bash -c "rm '$run/samples_parity.jsonl'; '$PLUMB' analyze '$run'"
again "what was printed is gone" bash -c "rm '$run/table.txt'; '$PLUMB' analyze '$run'"
again "the screen is gone" bash -c "rm '$run/screen.txt'; '$PLUMB' analyze '$run'"
again "what was printed was edited" bash -c "echo x >>'$run/table.txt'; '$PLUMB' analyze '$run'"
again "the plan was written again" bash -c "cp '$run/plan.json' '$tmp/p'; cat '$tmp/p' >'$run/plan.json'; '$PLUMB' analyze '$run'"
again "the stamp is broken" bash -c "echo '{' >'$run/analysis.json'; '$PLUMB' analyze '$run'"
cp "$PLUMB" "$tmp/plumb" && again "another build of the program" "$tmp/plumb" analyze "$run"
"$PLUMB" analyze "$run" >/dev/null 2>&1
mv "$unit" "$tmp/kept.h5"
check "a unit that is gone is said" bash -c "'$PLUMB' analyze '$run' 2>&1 >/dev/null | grep -q '^(incomplete)'"
check "and said again" bash -c "'$PLUMB' analyze '$run' 2>&1 >/dev/null | grep -q '^(incomplete)'"
mv "$tmp/kept.h5" "$unit"
again "a unit came back" "$PLUMB" analyze "$run"
# A plan whose template has no name: rows keep what they name until they are written.
sed -i 's/"template": "asks"/"template": ""/' "$run/plan.json"
check "a template without a name" "$PLUMB" analyze "$run"
check "and its rows" test "$(wc -l <"$run/stability.csv")" -eq "$(wc -l <"$tmp/fresh/stability.csv")"
exit $((failures > 0))
