#!/usr/bin/env bash
# Checkpoints as they are met: several ends of text, heads that disagree with their flag, vocabularies padded beyond the
# tokenizer, weights that are NaN, and files that stand for others.
source "$(dirname "$0")/lib.sh"
models=tests/golden/models
make() { # DIR GOLDEN: a golden model with a byte-level tokenizer whose first 40 ids are characters
  mkdir -p "$1" && cp "$models/$2"/{config.json,model.safetensors} "$1" && cp tests/golden/tokenizers/ends/byte.json "$1/tokenizer.json"
}
generate() { "$PLUMB" generate "$1" --prompt '!' --max-tokens 8 --device cpu --json "${@:2}" 2>"$tmp/generate.err"; }
# ids DIR: the generated ids, with blanks between.
ids() { generate "$1" | $python -c 'import json, sys; print(*json.load(sys.stdin)["ids"])'; }

# ---- end of text: the greedy chain without any end, then with its third id as one of several ----
make "$tmp/ends" llama-tied
echo '{"eos_token_id": null}' >"$tmp/ends/generation_config.json"
chain=$(ids "$tmp/ends")
check "without an end the chain has 8 ids" test "$(wc -w <<<"$chain")" -eq 8
third=$(cut -d' ' -f3 <<<"$chain")
before=$($python -c "c = '$chain'.split(); print(*c[:c.index('$third')])")
echo "{\"eos_token_id\": [500, $third]}" >"$tmp/ends/generation_config.json"
check "an id of generation_config.json's list ends it" test "$(ids "$tmp/ends")" = "$before"
rm "$tmp/ends/generation_config.json"
$python - "$tmp/ends/config.json" "$third" <<'P'
import json, sys
c = json.load(open(sys.argv[1])); c["eos_token_id"] = [500, int(sys.argv[2])]; json.dump(c, open(sys.argv[1], "w"))
P
check "an id of config.json's list ends it" test "$(ids "$tmp/ends")" = "$before"
check "inspect says the ends" bash -c "'$PLUMB' inspect '$tmp/ends' | grep -q 'generation ends at .*500'"

# ---- a vocabulary padded beyond the tokenizer: 40 rows, a tokenizer of 3 ids ----
make "$tmp/padded" llama-tied
cat >"$tmp/padded/tokenizer.json" <<'J'
{"model": {"type": "BPE", "vocab": {"!": 0, "a": 1, "b": 2}, "merges": []}, "decoder": {"type": "Fuse"}}
J
check "ids beyond the tokenizer fail nothing" generate "$tmp/padded"

# ---- NaN in the last weight of the file ----
make "$tmp/nan" llama-tied
size=$(stat -c %s "$tmp/nan/model.safetensors")
printf '\xff\x7f' | dd of="$tmp/nan/model.safetensors" bs=1 seek=$((size - 2)) conv=notrunc status=none
expect "generate says that logits are NaN" 1 'logits after 0 generated tokens are NaN or infinite' "$PLUMB" generate "$tmp/nan" --prompt '!' --device cpu
check "and in its JSON" bash -c "'$PLUMB' generate '$tmp/nan' --prompt '!' --device cpu --json 2>/dev/null | grep -q '\"finite\":false'"
echo '{"ids": [1, 2, 3]}' >"$tmp/ids.jsonl"
rm "$tmp/nan/tokenizer.json"
expect "extract warns, without a tokenizer" 1 'warning: .*1 of 1 rows of logits' "$PLUMB" extract "$tmp/nan" "$tmp/ids.jsonl" --out "$tmp/nan.h5" --logits --device cpu --quiet
check "the file is there for a look" test -s "$tmp/nan.h5"
expect "extract of all positions counts tokens" 1 'warning: .*3 of 3 rows of logits' "$PLUMB" extract "$tmp/nan" "$tmp/ids.jsonl" --out "$tmp/all.h5" --positions all --logits --device cpu --quiet

# ---- files that stand for others ----
make "$tmp/lfs" llama-tied
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n' >"$tmp/lfs/tokenizer.json"
expect "a pointer in place of the tokenizer" 2 'tokenizer.json: a Git LFS pointer.*git lfs pull' "$PLUMB" tokenize "$tmp/lfs" a
ln -sf ../../blobs/gone "$tmp/lfs/tokenizer.json"
expect "a broken link in place of the tokenizer" 2 "tokenizer.json: a broken link: it points to '../../blobs/gone'" "$PLUMB" tokenize "$tmp/lfs" a
mkdir -p "$tmp/hub/models--org--tiny/snapshots/abc"
expect "a snapshot that no ref leads to" 2 'no refs/main leads to a snapshot there.*models--org--tiny/snapshots/abc' env HF_HUB_CACHE="$tmp/hub" "$PLUMB" inspect org/tiny
exit $((failures > 0))
