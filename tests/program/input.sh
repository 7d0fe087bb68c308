#!/usr/bin/env bash
# Bad input: one clear line and the right exit code, for every mistake a user makes sooner or later.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
cp experiments/paper/data/sentiment.*.jsonl "$tmp/"
cat >"$tmp/task.yaml" <<'Y'
task: t
training_split: sentiment.train.jsonl
test_split: sentiment.test.jsonl
doc_to_text: "Review: {{ text }}\nSentiment:"
doc_to_target: label
doc_to_choice: [negative, positive]
output_type: multiple_choice
Y
field=$(python3 -c "import json; r = json.loads(open('$tmp/sentiment.test.jsonl').readline()); print(next(k for k, v in r.items() if isinstance(v, str) and len(v) > 12))")
sed -i "s/{{ text }}/{{ $field }}/" "$tmp/task.yaml"
cat >"$tmp/exp.yaml" <<Y
name: input
models: [$tmp/gpt2]
tasks: [task.yaml]
arms: [{kind: prompt, shots: 0}]
items: 4
Y
run() { "$PLUMB" run "$1" --results "$tmp/results" --quiet "${@:2}"; }
check "the good experiment runs" run "$tmp/exp.yaml"

# The command line.
expect "no such verb" 2 "'runn' is no verb" "$PLUMB" runn
expect "no such option" 2 'no option --bogus' "$PLUMB" run x.yaml --bogus
expect "an option without its value" 2 '--results needs a value' "$PLUMB" run x.yaml --results
expect "a bad shard" 2 'expected I/N' "$PLUMB" run "$tmp/exp.yaml" --shard 3/3
expect "a compute type that does not exist" 2 "expected float32, bf16x3, bf16, fp16 or tf32; found .int8." "$PLUMB" generate nowhere --prompt a --compute int8
expect "no such file" 2 'nowhere.yaml: cannot open' "$PLUMB" run nowhere.yaml
expect "a device that is not there" 2 'cuda' "$PLUMB" run "$tmp/exp.yaml" --results "$tmp/results" --device cuda
expect "a device nobody knows" 2 'toaster' "$PLUMB" run "$tmp/exp.yaml" --results "$tmp/results" --device toaster
check "--help of every verb" bash -c "for v in \$($PLUMB --help | awk '/^  [a-z]/ {print \$1}'); do $PLUMB \$v --help >/dev/null || exit 1; done"

# The experiment file. NAME REGEX: the text on standard input is the file.
experiment() {
  cat >"$tmp/bad.yaml"
  expect "$1" 2 "$2" run "$tmp/bad.yaml"
}
base=$(cat "$tmp/exp.yaml")
experiment "malformed YAML" 'bad.yaml:[0-9]+:[0-9]+:' <<<$'name: [x\nmodels: }'
experiment "not UTF-8" 'bad.yaml' < <(printf 'name: \xff\xfe\n')
experiment "an empty experiment" "'(name|models)' is missing" <<<''
experiment "an unknown key" "bad.yaml:[0-9]+:[0-9]+:.*(modles|models)" <<<"${base/models/modles}"
experiment "an arm that does not exist" "expected one of prompt" <<<"${base/prompt/prompting}"
experiment "an arm with another's keys" "unknown key 'shots'" <<<"${base/prompt/finetune}"
experiment "a number that is none" "bad.yaml:[0-9]+:[0-9]+:.*found 'many'" <<<"${base/items: 4/items: many}"
sed "s#$tmp/gpt2#\"\${PLUMB_NOT_SET}/gpt2\"#" "$tmp/exp.yaml" | experiment "an unset variable" "environment variable PLUMB_NOT_SET"
sed "s#$tmp/gpt2#nomodel#" "$tmp/exp.yaml" | experiment "a model that is not there" "nomodel"
experiment "a task that is not there" "nothere.yaml" <<<"${base/task.yaml/nothere.yaml}"
experiment "a template that is not there" "template 'fancy' is not in task t" <<<"$base"$'\ntemplates: {id: [fancy]}'
experiment "a layer that is not there" "expected a layer.*found '99'" <<<"$base"$'\ncapture: {layers: [99]}'
experiment "a position that does not exist" "expected one of last, label, mean, all" <<<"$base"$'\ncapture: {positions: [first]}'
experiment "more shots than items" "the experiment asks for 900" <<<"${base/shots: 0/shots: 900}"
expect "a bad override" 2 "no index" run "$tmp/exp.yaml" arms.7.shots=1

# The task file and its data. NAME CODE REGEX: sed on the good task; the data may be replaced before.
task() {
  sed "$4" "$tmp/task.yaml" >"$tmp/badtask.yaml"
  sed 's/task.yaml/badtask.yaml/' "$tmp/exp.yaml" >"$tmp/bad.yaml"
  expect "$1" "$2" "$3" run "$tmp/bad.yaml"
}
task "an unknown task key" 2 'badtask.yaml:[0-9]+' 's/doc_to_target/doc_to_targte/'
task "a filter nobody knows" 2 'badtask.yaml.*sparkle' "s/{{ $field }}/{{ $field | sparkle }}/"
task "a file that a template includes" 2 "badtask.yaml.*include" "s/{{ $field }}/{% include 'x' %}/"
task "a loop over what is not there" 2 "badtask.yaml.*no field .y." "s/{{ $field }}/{% for x in y %}{{ x }}{% endfor %}/"
printf '%s\n' '{"text": "x", "label": "purple"}' >"$tmp/purple.jsonl"
task "a label outside the set" 2 'purple' "s/sentiment.test.jsonl/purple.jsonl/; s/{{ $field }}/{{ text }}/; s/^training.*//"
: >"$tmp/empty.jsonl"
task "empty data" 2 'empty.jsonl' 's/sentiment.test.jsonl/empty.jsonl/'
printf '%s\n' '{"a": 1}' '{"a": ' >"$tmp/broken.jsonl"
task "malformed JSON" 2 'broken.jsonl:2' 's/sentiment.test.jsonl/broken.jsonl/'
printf '{"a": "\xff"}\n' >"$tmp/latin.jsonl"
task "data that is not UTF-8" 2 'latin.jsonl' 's/sentiment.test.jsonl/latin.jsonl/'
printf 'a,b\n1,2\n1,2,3\n' >"$tmp/ragged.csv"
task "a CSV row with a field too many" 2 'ragged.csv:3' 's/sentiment.test.jsonl/ragged.csv/'
task "a wrong sha256" 2 'expected SHA-256 000' 's/^test_split: .*/test_split: {path: sentiment.test.jsonl, sha256: "0000000000000000000000000000000000000000000000000000000000000000"}/'
touch "$tmp/x.parquet"
task "parquet" 2 'parquet' 's/sentiment.test.jsonl/x.parquet/'

# A prompt longer than the context fails its unit, and says what to do; the policies then work.
python3 -c "import json; print(json.dumps({'$field': 'long words ' * 3000, 'label': json.loads(open('$tmp/sentiment.test.jsonl').readline())['label']}))" >"$tmp/long.jsonl"
cat "$tmp/sentiment.test.jsonl" | head -50 >>"$tmp/long.jsonl"
sed 's/sentiment.test.jsonl/long.jsonl/' "$tmp/task.yaml" >"$tmp/badtask.yaml"
sed 's/task.yaml/badtask.yaml/; s/^items: .*//' "$tmp/exp.yaml" >"$tmp/bad.yaml"
expect "a prompt longer than the context" 3 'needs [0-9]+ positions.*truncation' run "$tmp/bad.yaml"
check "truncation: truncate_left" run "$tmp/bad.yaml" truncation=truncate_left
check "truncation: skip" run "$tmp/bad.yaml" truncation=skip

# Checkpoints.
model() { # name, regex; $tmp/m is the damaged copy
  sed "s#$tmp/gpt2#$tmp/m#" "$tmp/exp.yaml" >"$tmp/bad.yaml"
  expect "$1" 2 "$2" run "$tmp/bad.yaml"
  rm -rf "$tmp/m"
}
copy() { rm -rf "$tmp/m"; cp -r "$tmp/gpt2" "$tmp/m"; }
copy; head -c 5000 "$tmp/gpt2/model.safetensors" >"$tmp/m/model.safetensors"; model "truncated safetensors" 'model.safetensors'
copy; printf '\xff\xff\xff\xff\xff\xff\xff\x7f{}' >"$tmp/m/model.safetensors"; model "a lying safetensors header" 'model.safetensors'
copy; rm "$tmp/m/model.safetensors"; touch "$tmp/m/pytorch_model.bin"; model "only pytorch_model.bin" 'convert it'
copy; rm "$tmp/m/config.json"; model "no config.json" 'config.json'
copy; sed -i 's/"model_type": *"gpt2"/"model_type": "mamba"/' "$tmp/m/config.json"; model "an unknown family" 'mamba'
copy; sed -i 's/"n_embd": *[0-9]*/"n_embd": 48/' "$tmp/m/config.json"; model "a wrong shape" 'expected'
copy; sed -i 's/"n_layer": *[0-9]*/"n_layer": 40/' "$tmp/m/config.json"; model "a missing tensor" 'missing|absent|no tensor'
copy; rm "$tmp/m/tokenizer.json"; model "no tokenizer" 'tokenizer'
copy; echo '{"model": {"type": "WordLevel", "vocab": {}}}' >"$tmp/m/tokenizer.json"; model "an unsupported tokenizer" 'WordLevel'
copy; head -c 300 "$tmp/gpt2/tokenizer.json" >"$tmp/m/tokenizer.json"; model "a truncated tokenizer" 'tokenizer.json'
printf '{"text": 3}\n' >"$tmp/texts.jsonl"
expect "extract: a row that is no text" 2 'texts.jsonl:1' "$PLUMB" extract "$tmp/gpt2" "$tmp/texts.jsonl" --out "$tmp/x.h5"
expect "generate without a prompt" 2 '--prompt is missing' "$PLUMB" generate "$tmp/gpt2"
expect "status of no run" 2 'plan.json|not a run folder' "$PLUMB" status "$tmp/gpt2"
exit $((failures > 0))
