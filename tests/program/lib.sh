# Sourced by the whole-program tests: temporary folder, tiny models, checks that print PASS, FAIL or SKIP.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
: "${PLUMB:=$root/build/plumb}" "${PLUMB_MAKE_MODEL:=$root/build/plumb-make-model}" "${PLUMB_BUILD:=$root/build}"
: "${PLUMB_DATA:=$root/../shared/data}"
# The Python that has h5py: Debian's, where another one comes first on PATH.
python=python3
python3 -c 'import h5py' 2>/dev/null || { /usr/bin/python3 -c 'import h5py' 2>/dev/null && python=/usr/bin/python3; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0

pass() { echo "PASS $*"; }
fail() { echo "FAIL $*"; failures=$((failures + 1)); }
skip() { echo "SKIP $*"; }

# check NAME COMMAND...: the command succeeds.
check() {
  local name=$1
  shift
  if "$@" >"$tmp/check.out" 2>&1; then pass "$name"; else fail "$name"; tail -3 "$tmp/check.out"; fi
}

# expect NAME CODE REGEX COMMAND...: this exit code, and one line on stderr that matches.
expect() {
  local name=$1 code=$2 regex=$3 got
  shift 3
  "$@" >"$tmp/expect.out" 2>"$tmp/expect.err"
  got=$?
  if [ $got -ne "$code" ]; then
    fail "$name: exit code $got, expected $code"; tail -2 "$tmp/expect.err"
  elif ! grep -qE -e "$regex" "$tmp/expect.err"; then
    fail "$name: no line matches /$regex/"; tail -2 "$tmp/expect.err"
  elif [ "$(grep -c '^plumb: ' "$tmp/expect.err")" -ne 1 ]; then
    fail "$name: expected one line of error"; head -3 "$tmp/expect.err"
  else
    pass "$name"
  fi
}

# wait_for FOLDER COMMAND...: polls until the command succeeds. It gives up when nothing was written below the folder for
# two minutes: the machine may be as slow as it likes, as long as something moves.
wait_for() {
  local folder=$1 before='' now quiet=$SECONDS
  shift
  until "$@"; do
    now=$(find "$folder" -type f -printf '%s %T@\n' 2>/dev/null | sort | cksum)
    [ "$now" = "$before" ] || quiet=$SECONDS
    before=$now
    ((SECONDS - quiet < 120)) || return 1
    sleep 0.02
  done
}

# same_units A B: the same unit files, byte for byte, in two run folders; both have at least one.
same_units() {
  local n=0 file
  for file in "$1"/units/*.h5; do
    [ -e "$file" ] || return 1
    cmp "$file" "$2/units/$(basename "$file")" || return 1
    n=$((n + 1))
  done
  [ "$n" -gt 0 ] && [ "$n" -eq "$(ls "$2"/units/*.h5 | wc -l)" ]
}

# tiny_model FOLDER FAMILY: a random checkpoint with a tokenizer of its own.
tiny_model() {
  "$PLUMB_MAKE_MODEL" "$1" --family "$2" "$root"/experiments/paper/data/*.jsonl >"$tmp/make.out" 2>&1 || { cat "$tmp/make.out"; fail "make-model $2"; exit 1; }
}

# parity_task FOLDER N: FOLDER/task.yaml, a task with N items in FOLDER/rows.jsonl, which are its pool too, and three templates.
parity_task() {
  seq "$2" | awk '{ printf "{\"text\": \"item %d of many\", \"label\": %d}\n", $1, $1 % 2 }' >"$1/rows.jsonl"
  cat >"$1/task.yaml" <<'Y'
task: parity
dataset_path: .
training_split: rows.jsonl
test_split: rows.jsonl
output_type: multiple_choice
doc_to_text: "{{text}}"
doc_to_target: label
doc_to_choice: ["no", "yes"]
plumb: {templates: [{name: bare, role: id}, {name: asks, role: ood, doc_to_text: "Is it so? {{text}}"}, {name: long, role: ood, doc_to_text: "Question: {{text}}. Answer:"}]}
Y
}

# The only run folder under a results folder.
run_of() { ls -d "$1"/*-????????/ | head -1 | sed 's#/$##'; }
