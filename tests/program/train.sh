#!/usr/bin/env bash
# plumb train, from outside: a drawn model learns texts, a checkpoint goes on, a run that was stopped or killed ends with the
# same bits, and wrong input gets its line.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
mkdir "$tmp/drawn" && cp "$tmp/gpt2"/{config.json,tokenizer*.json} "$tmp/drawn"
$python - "$tmp/texts.jsonl" <<'P'
import json, sys
with open(sys.argv[1], "w") as out:
    for i in range(120):
        word = ["red", "green", "blue"][i % 3]
        out.write(json.dumps({"text": f"a {word} house, a {word} door, a {word} hat"}) + "\n")
P
command=("$PLUMB" train "$tmp/drawn" "$tmp/texts.jsonl" --threads 1 init=random learning_rate=3e-3 train_batch_size=12 num_train_epochs=4)
train() { "${command[@]}" "$@"; }
check "a drawn model learns texts" train --out "$tmp/calm" --quiet
check "what it says and leaves" $python - "$tmp/calm" <<'P'
import csv, json, os, sys
rows = list(csv.DictReader(open(sys.argv[1] + "/training.csv")))
assert len(rows) == 40 and rows[-1]["step"] == "40", len(rows)
first, last = float(rows[0]["loss"]), float(rows[-1]["loss"])
assert 5 < first and last < 0.5 * first, (first, last)
assert sorted(os.listdir(sys.argv[1])) == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "training.csv"], os.listdir(sys.argv[1])
assert not os.path.exists(sys.argv[1] + ".state")
P
check "the new model is one" sh -c "'$PLUMB' generate '$tmp/calm' --prompt 'a red house, a' --max-tokens 8 --json | grep -q 'red door'"
check "a checkpoint goes on" sh -c "'$PLUMB' train '$tmp/calm' '$tmp/texts.jsonl' --out '$tmp/more' --json --quiet max_steps=2 train_batch_size=12 learning_rate=1e-5 |
  $python -c 'import json, sys; r = json.load(sys.stdin); assert r[\"steps\"] == 2 and r[\"first_loss\"] < 3, r'"

check "weights as bfloat16" "$PLUMB" train "$tmp/calm" "$tmp/texts.jsonl" --out "$tmp/half" --quiet max_steps=1 learning_rate=1e-9 dtype=bfloat16
check "are half as large, and are read" sh -c "test \$((2 * \$(stat -c %s '$tmp/half/model.safetensors'))) -lt \$((\$(stat -c %s '$tmp/calm/model.safetensors') + 20000)) &&
  '$PLUMB' generate '$tmp/half' --prompt 'a red house, a' --max-tokens 8 --json | grep -q 'red door'"

# A control: the weights as they are drawn, a checkpoint that says so; equal seeds, equal bytes.
check "a model that nothing trained" "$PLUMB" train "$tmp/drawn" --out "$tmp/control" init=untrained seed=5
check "it says that it is a control" sh -c "'$PLUMB' inspect '$tmp/control' --json | grep -q '\"random_weights\": true' && test ! -e '$tmp/control.state'"
"$PLUMB" train "$tmp/drawn" --out "$tmp/control2" init=untrained seed=5 2>/dev/null; "$PLUMB" train "$tmp/drawn" --out "$tmp/control3" init=untrained seed=6 2>/dev/null
check "its seed makes it" sh -c "cmp '$tmp/control/model.safetensors' '$tmp/control2/model.safetensors' && ! cmp -s '$tmp/control/model.safetensors' '$tmp/control3/model.safetensors'"
expect "no corpus" 2 'the corpus is missing' "$PLUMB" train "$tmp/drawn" --out "$tmp/none"
expect "a corpus for a control" 2 'texts.jsonl' "$PLUMB" train "$tmp/drawn" "$tmp/texts.jsonl" --out "$tmp/none" init=untrained

# The loss of a text is that of its parts; of one part it is another.
first_loss() { echo "$1" >"$tmp/row.jsonl"; "$PLUMB" train "$tmp/calm" "$tmp/row.jsonl" --out "$tmp/row" --json --quiet max_steps=1 | $python -c 'import json, sys; print(json.load(sys.stdin)["first_loss"])'; }
whole=$(first_loss '{"text": "a red house, a red"}')
parts=$(first_loss '{"parts": [{"text": "a re", "loss": true}, {"text": "d house, a re", "loss": true}, {"text": "d", "loss": true}]}')
last=$(first_loss '{"parts": [{"text": "a re"}, {"text": "d house, a re"}, {"text": "d", "loss": true}]}')
check "nothing is left beside what was made" test -z "$(find "$tmp" -maxdepth 1 -name '*.tmp')"
check "parts that carry loss" test -n "$whole" -a "$whole" = "$parts" -a -n "$last" -a "$whole" != "$last"
middle=$(first_loss '{"parts": [{"text": "a re"}, {"text": "d house, a re", "loss": true}, {"text": "d"}]}')
both=$(first_loss '{"parts": [{"text": "a re"}, {"text": "d house, a re", "loss": 1}, {"text": "d", "loss": 1}]}')
weighed=$(first_loss '{"parts": [{"text": "a re"}, {"text": "d house, a re", "loss": 1}, {"text": "d", "loss": 30}]}')
check "weights of parts" $python -c '
import sys
middle, last, both, weighed = map(float, sys.argv[1:])
n = (both - last) / (middle - both)  # tokens of the middle for one of the last
assert n > 1.5 and abs(weighed - (n * middle + 30 * last) / (n + 30)) < 1e-4 * weighed, (n, sys.argv)' "$middle" "$last" "$both" "$weighed"

# Stopped and killed runs.
"${command[@]}" --out "$tmp/stopped" num_train_epochs=400 2>"$tmp/stopped.log" & pid=$!
wait_for "$tmp" grep -qs 'memory at its peak' "$tmp/stopped.log"; kill -TERM $pid; wait $pid; code=$?
[ $code -eq 75 ] && pass "SIGTERM ends with 75" || fail "SIGTERM: exit code $code"
expect "the state of another run" 2 'stopped\.state' train --out "$tmp/stopped" --quiet
rm -rf "$tmp/stopped.state"
"${command[@]}" --out "$tmp/stopped" 2>"$tmp/stopped.log" & pid=$!
wait_for "$tmp" grep -qs 'memory at its peak' "$tmp/stopped.log"; kill -KILL $pid; wait $pid 2>/dev/null
check "it goes on" train --out "$tmp/stopped" --quiet
check "to the same bits" cmp "$tmp/calm/model.safetensors" "$tmp/stopped/model.safetensors"
check "and the same log" cmp "$tmp/calm/training.csv" "$tmp/stopped/training.csv"

check "a slash at the end" "$PLUMB" train "$tmp/calm" "$tmp/texts.jsonl" --out "$tmp/slash/" --quiet max_steps=1
check "is none of its name" test -e "$tmp/slash/model.safetensors" -a ! -e "$tmp/slash.state"
mkdir "$tmp/mine" && echo keep >"$tmp/mine/notes.txt"
expect "a folder of somebody else's" 2 "mine: holds 'notes.txt'" "$PLUMB" train "$tmp/calm" "$tmp/texts.jsonl" --out "$tmp/mine" --quiet max_steps=1
check "stays" test -e "$tmp/mine/notes.txt"
expect "an epsilon of nothing" 2 'adam_epsilon' "$PLUMB" train "$tmp/calm" "$tmp/texts.jsonl" --out "$tmp/x" --quiet adam_epsilon=1e-46
echo '{"parts": [{"text": "a red", "loss": -1}]}' >"$tmp/loss.jsonl"
expect "a loss weight below 0" 2 'loss\.jsonl:1: parts\[0\]: expected' "$PLUMB" train "$tmp/gpt2" "$tmp/loss.jsonl" --out "$tmp/x" --quiet
expect "no texts" 2 'none\.jsonl' "$PLUMB" train "$tmp/gpt2" "$tmp/none.jsonl" --out "$tmp/x"
expect "no way out" 2 '--out is missing' "$PLUMB" train "$tmp/gpt2" "$tmp/texts.jsonl"
expect "a compute type that does not exist" 2 "compute: expected float32, bf16x3, bf16, fp16 or tf32; found 'bf8'" "$PLUMB" train "$tmp/gpt2" "$tmp/texts.jsonl" --out "$tmp/x" --quiet compute=bf8
expect "two compute types" 2 "compute: 'bf16x3' and .bf16: true. ask for two types of products" "$PLUMB" train "$tmp/gpt2" "$tmp/texts.jsonl" --out "$tmp/x" --quiet compute=bf16x3 bf16=true
if grep -q amx_bf16 /proc/cpuinfo; then
  check "products in bf16x3" "$PLUMB" train "$tmp/gpt2" "$tmp/texts.jsonl" --out "$tmp/split" --quiet max_steps=2 compute=bf16x3
else
  skip "this CPU has no AMX"
fi
expect "an unknown key" 2 "learning_rates" "$PLUMB" train "$tmp/gpt2" "$tmp/texts.jsonl" --out "$tmp/x" learning_rates=1
expect "a rate of nothing" 2 'learning_rate: expected a number above 0' "$PLUMB" train "$tmp/gpt2" "$tmp/texts.jsonl" --out "$tmp/x" learning_rate=0
expect "no weights to begin from" 2 'safetensors' "$PLUMB" train "$tmp/drawn" "$tmp/texts.jsonl" --out "$tmp/x"
echo '{"text": "a"}' >"$tmp/short.jsonl"
expect "a text of one token" 2 'short\.jsonl:1: 1 tokens, expected two' "$PLUMB" train "$tmp/gpt2" "$tmp/short.jsonl" --out "$tmp/x" --quiet
echo '{"parts": [{"text": "a red house"}]}' >"$tmp/silent.jsonl"
expect "parts without loss" 2 'no token carries loss' "$PLUMB" train "$tmp/gpt2" "$tmp/silent.jsonl" --out "$tmp/x" --quiet
echo '{"ids": [1, 99999]}' >"$tmp/ids.jsonl"
expect "an id that is none" 2 'ids.jsonl:1: ids\[1\]: expected an id from 0 to' "$PLUMB" train "$tmp/gpt2" "$tmp/ids.jsonl" --out "$tmp/x" --quiet
echo '{"word": "a"}' >"$tmp/word.jsonl"
expect "a row without text" 2 'word\.jsonl:1: expected' "$PLUMB" train "$tmp/gpt2" "$tmp/word.jsonl" --out "$tmp/x" --quiet
exit $((failures > 0))
