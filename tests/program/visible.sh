#!/usr/bin/env bash
# Names and texts that hold control characters reach no terminal, log or table as they are: errors, progress, notes, the
# tables of run, plan, inspect, status and tokenize, JSON on the screen, log.txt and stability.csv.
source "$(dirname "$0")/lib.sh"
esc=$'\e]0;owned\a\u202e\u009b31m'
tiny_model "$tmp/$esc" gpt2
cp -r "$tmp/$esc" "$tmp/m"
parity_task "$tmp" 4
cat >"$tmp/e.yaml" <<'Y'
name: visible
models: [{path: m, name: "=\e]0;owned\a\u202E\u009B31m"}]
tasks: [task.yaml]
arms: [{kind: prompt, shots: [0]}]
seed: 1
Y
# clean NAME FILE...: no byte in them that a terminal would obey or hide, newlines apart.
clean() {
  local name=$1
  shift
  if $python - "$@" <<'P'
import sys
bad = set(range(0x20)) - {10} | set(range(0x7F, 0xA0)) | {0x61C, 0x200E, 0x200F} | set(range(0x2028, 0x202F)) | set(range(0x2066, 0x206A))
for name in sys.argv[1:]:
    text = open(name, "rb").read().decode("utf-8")
    found = [hex(ord(c)) for c in text if ord(c) in bad]
    if found or not text:
        sys.exit(f"{name}: {found[:5] or 'empty'}")
P
  then pass "$name"; else fail "$name"; fi
}
# all NAME CODE COMMAND...: everything that it prints is clean, and it ends with this code.
all() {
  local name=$1 code=$2
  shift 2
  "$@" >"$tmp/all.out" 2>&1
  local got=$?
  [ $got -eq "$code" ] || fail "$name: exit code $got, expected $code"
  clean "$name" "$tmp/all.out"
}
cd "$tmp" || exit 1
all "run" 0 "$PLUMB" run e.yaml --device cpu --threads 1 --results r
check "it shows what is there" grep -qF '\x1b]0;owned\x07\u{202e}\u{009b}31m' all.out
run=$(run_of r)
clean "log.txt, stability.csv" "$run/log.txt" "$run/stability.csv"
check "no formula in stability.csv" grep -qF "'=\\x1b]0;owned\\x07\\u{202e}\\u{009b}31m,parity" "$run/stability.csv"
all "run --json" 0 "$PLUMB" run e.yaml --device cpu --threads 1 --results r --json
check "JSON keeps the value" $python -c 'import json; text = open("all.out").read(); rows = json.loads(text[text.index("{\n"):text.rindex("\n}") + 2])["rows"]; assert rows[0]["model"] == "=\x1b]0;owned\x07\u202e\u009b31m"'
all "plan" 0 "$PLUMB" plan e.yaml --results r
all "status" 0 "$PLUMB" status "$run"
all "inspect" 0 "$PLUMB" inspect "$esc"
all "inspect --json" 0 "$PLUMB" inspect "$esc" --json
all "inspect of what is not there" 2 "$PLUMB" inspect "$esc$esc"
all "a verb that is none" 2 "$PLUMB" "$esc"
all "extract" 0 "$PLUMB" extract "$esc" rows.jsonl --out "$esc.h5" --threads 1
all "bytes that are no UTF-8" 2 "$PLUMB" inspect $'\xff\xfe\x9b31m'
# The tokenizer: a piece, and a key of YAML that nobody knows.
$python - <<'P'
import json
t = json.load(open("m/tokenizer.json"))
t["added_tokens"].append({"id": 512, "content": "\x1b[31m\u202e", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True})
json.dump(t, open("m/tokenizer.json", "w"))
P
all "tokenize" 0 "$PLUMB" tokenize m $'a\e[31m\u202eb'
check "it shows the piece" grep -qF '\x1b[31m\u{202e}' all.out
all "tokenize --json" 0 "$PLUMB" tokenize m $'a\e[31m\u202eb' --json
all "a key in YAML" 2 "$PLUMB" run e.yaml $'a\e[31m\u009b=1'
exit $((failures > 0))
