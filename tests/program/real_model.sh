#!/usr/bin/env bash
# A real model's way in: GGUF to a Hugging Face folder, and the steps of fetching one, on tiny files made here; no network.
source "$(dirname "$0")/lib.sh"
$python "$root/tests/program/real_model.py" "$tmp" || failures=1
check "plumb reads the converted model" "$PLUMB" inspect "$tmp/tiny"
check "... and tokenizes with it" "$PLUMB" tokenize "$tmp/tiny" "abc"
check "... and runs it" "$PLUMB" generate "$tmp/tiny" --prompt "abc" --max-tokens 4 --device cpu
check "a SentencePiece tokenizer as converted" bash -c '"$1" tokenize "$2/gemma" --no-special --json <"$2/texts.jsonl" >"$2/told.jsonl"' - "$PLUMB" "$tmp"
check "... gives SentencePiece's ids" $python -c 'import json, sys
told = [json.loads(line)["ids"] for line in open(sys.argv[1] + "/told.jsonl")]
ids = json.load(open(sys.argv[1] + "/ids.json"))
assert len(ids) > 150 and told == ids, [pair for pair in zip(told, ids) if pair[0] != pair[1]][:3]' "$tmp"
exit $((failures > 0))
