#!/usr/bin/env bash
# What is damaged in a run folder is noticed and made again: unit files cut, emptied, foreign; a plan that was cut; a
# flipped bit in stored states. And what AnnData reads of a unit file, and writes again, keeps its provenance.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
parity_task "$tmp" 8
cat >"$tmp/e.yaml" <<'Y'
name: damage
models: [{path: gpt2}]
tasks: [task.yaml]
arms: [{kind: prompt, shots: [0]}]
capture: {layers: all, positions: [last, mean]}
seed: 1
Y
go() { "$PLUMB" run "$tmp/e.yaml" --quiet --device cpu --threads 1 --results "$tmp/r"; }
check "run finishes" go
run=$(run_of "$tmp/r")
cp -r "$run" "$tmp/first"
mapfile -t units < <(ls "$run"/units/*.h5)
truncate -s 4000 "${units[0]}"
: >"${units[1]}"
cp "$tmp/first/units/$(basename "${units[0]}")" "${units[2]}"
check "run again mends them, and says so" bash -c "$PLUMB run $tmp/e.yaml --quiet --device cpu --threads 1 --results $tmp/r 2>&1 >/dev/null | grep -q '^3 damaged files were moved aside'"
check "with the same bytes" same_units "$tmp/first" "$run"
for i in 0 1 2; do check "the broken file is kept, $i" test -e "${units[i]}.broken-1"; done
check "the log has the reasons" test "$(grep -c 'broken: .*moved aside' "$run/log.txt")" -eq 3
check "run again has nothing to do" bash -c "$PLUMB run $tmp/e.yaml --quiet --device cpu --results $tmp/r 2>&1 >/dev/null | grep -q ' 0 computed'"
truncate -s 100 "$run/plan.json"
check "a cut plan is made again" go
check "as it was" cmp "$run/plan.json" "$tmp/first/plan.json"

check "analyze --verify" "$PLUMB" analyze "$run" --verify
$python - "${units[1]}" <<'P'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2); at = f.tell() * 3 // 4
    f.seek(at); byte = f.read(1)[0]; f.seek(at); f.write(bytes([byte ^ 64]))
P
expect "a flipped bit is noticed" 1 'its units are damaged: remove their files' "$PLUMB" analyze "$run" --verify
check "the unit is named" grep -q "damaged: .*$(basename "${units[1]}")" "$tmp/expect.err"
rm "${units[1]}" "${units[1]%.h5}.json"
check "run again mends it" go
check "with the same bytes again" same_units "$tmp/first" "$run"
check "analyze --verify is content" "$PLUMB" analyze "$run" --verify

# A unit that cannot be read costs its own line: the rest is analysed. What HDF5 would follow out of the file is refused.
cp -r "$run" "$tmp/part"
truncate -s 4000 "$tmp/part/units/$(basename "${units[0]}")"
$python - "$tmp/part/units/$(basename "${units[1]}")" <<'P'
import sys
with open(sys.argv[1], "r+b") as f:
    data = f.read(); at = data.index(b"GCOL")
    f.seek(at + 24); f.write(b"\xff" * 6)  # the size of the first text
P
expect "damaged units are named, the rest is analysed" 1 '2 of its units are damaged: remove their files' "$PLUMB" analyze "$tmp/part"
check "each with its reason" test "$(grep -c '^damaged: .*\.h5: ' "$tmp/expect.err")" -eq 2
check "the table has the rest" grep -q accuracy "$tmp/expect.out"
expect "and named again" 1 '2 of its units are damaged' "$PLUMB" analyze "$tmp/part"
rm -f "$tmp/part/units/$(basename "${units[0]}")" "$tmp/part/units/$(basename "${units[1]}")"
"$PLUMB" analyze "$tmp/part" >"$tmp/rest.out" 2>/dev/null
check "as if they were not there" cmp "$tmp/expect.out" "$tmp/rest.out"

if $python -c 'import anndata' 2>/dev/null; then
  for unit in "${units[@]}"; do check "check_unit_file.py $(basename "$unit")" $python tests/store/check_unit_file.py "$unit"; done
  check "check_unit_file.py --together" $python tests/store/check_unit_file.py --together "${units[@]}"
else
  skip "anndata is not installed"
fi
exit $((failures > 0))
