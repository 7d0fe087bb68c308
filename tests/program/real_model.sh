#!/usr/bin/env bash
# A real model's way in: GGUF to a Hugging Face folder, and fetch-smollm2's steps, on a tiny file made here; no network.
source "$(dirname "$0")/lib.sh"
$python "$root/tests/program/real_model.py" "$tmp" || failures=1
check "plumb reads the converted model" "$PLUMB" inspect "$tmp/tiny"
check "... and tokenizes with it" "$PLUMB" tokenize "$tmp/tiny" "abc"
check "... and runs it" "$PLUMB" generate "$tmp/tiny" --prompt "abc" --max-tokens 4 --device cpu
exit $((failures > 0))
