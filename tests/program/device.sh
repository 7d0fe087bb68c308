#!/usr/bin/env bash
# What the program says about devices: names, a plug-in that is not there, and which device `auto` took and why.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
cp experiments/paper/data/sentiment.test.jsonl "$tmp/"
field=$(python3 -c "import json; r = json.loads(open('$tmp/sentiment.test.jsonl').readline()); print(next(k for k, v in r.items() if isinstance(v, str) and len(v) > 12))")
cat >"$tmp/task.yaml" <<Y
task: t
test_split: sentiment.test.jsonl
doc_to_text: "Review: {{ $field }}\nSentiment:"
doc_to_target: label
doc_to_choice: [negative, positive]
output_type: multiple_choice
Y
cat >"$tmp/exp.yaml" <<Y
name: device
models: [$tmp/gpt2]
tasks: [task.yaml]
arms: [{kind: prompt, shots: 0}]
items: 4
Y
generate() { "$PLUMB" generate "$tmp/gpt2" --prompt "A" --max-tokens 2 "$@"; }
run() { "$PLUMB" run "$tmp/exp.yaml" --results "$1" "${@:2}"; }
unset PLUMB_CUDA_PLUGIN

# A copy of the program has no plug-in beside it, whatever was built.
mkdir -p "$tmp/alone/bin"
cp "$PLUMB" "$tmp/alone/bin/plumb"
there=$PLUMB
PLUMB=$tmp/alone/bin/plumb
expect "cuda without its plug-in" 2 "libplumb_cuda.so was not found: looked in $tmp/alone/bin, $tmp/alone/bin/../lib and the loader's folders" generate --device cuda
expect "a GPU by number without the plug-in" 2 'libplumb_cuda.so was not found.*--device cpu' generate --device cuda:7
expect "a name that is no device" 2 "device 'gpu' is not known: expected cpu, cuda, cuda:<index> \(from 0\) or auto" generate --device gpu
expect "an index that is none" 2 "device 'cuda:first' is not known" generate --device cuda:first
expect "a plug-in that is not there" 2 '/nowhere/plugin.so: no such file; correct or unset PLUMB_CUDA_PLUGIN' env PLUMB_CUDA_PLUGIN=/nowhere/plugin.so "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda
mkdir "$tmp/alone/lib"
echo "no library" >"$tmp/alone/lib/libplumb_cuda.so"
expect "a plug-in that is no library" 2 "bin/../lib/libplumb_cuda.so cannot be opened: .*(too short|invalid ELF header)" generate --device cuda
chmod 1777 "$tmp/alone/lib"
expect "a plug-in in a folder that anybody writes" 2 "bin/../lib/libplumb_cuda.so is not opened, because others can write it or its folder" generate --device cuda
chmod 755 "$tmp/alone/lib"
chmod 666 "$tmp/alone/lib/libplumb_cuda.so"
expect "a plug-in that anybody writes" 2 "is not opened, because others can write it" generate --device cuda
chmod 644 "$tmp/alone/lib/libplumb_cuda.so"
if [ "$(id -u)" = 0 ]; then
  chown 12345 "$tmp/alone/lib"
  expect "a plug-in in a folder of somebody else's" 2 "is not opened, because others can write it" generate --device cuda
else
  skip "a plug-in in a folder of somebody else's: only root can make one"
fi
rm -r "$tmp/alone/lib"

# says REGEX COMMAND...: this line once on standard error, nothing of it on standard output.
says() {
  local regex=$1
  shift
  "$@" >"$tmp/out" 2>"$tmp/err" || return 1
  [ "$(grep -cE "$regex" "$tmp/err")" -eq 1 ] && ! grep -qE "$regex" "$tmp/out"
}
quiet() { "$@" >"$tmp/out" 2>"$tmp/err" && ! grep -q '^device' "$tmp/err"; }
echo "no library" >"$tmp/broken.so"
why='^device auto: cpu, because .*broken.so cannot be opened'
export PLUMB_CUDA_PLUGIN=$tmp/broken.so
check "auto says what it took and why: generate" says "$why" generate
check "auto by name says it too" says "$why" generate --device auto
check "a named device needs no explanation" quiet generate --device cpu
check "auto says what it took and why: run" says "$why" run "$tmp/one"
check "the run's log has it" grep -qE "device auto: cpu, because .*broken.so cannot be opened" "$(run_of "$tmp/one")/log.txt"
check "--quiet is quiet" quiet run "$tmp/two" --quiet
unset PLUMB_CUDA_PLUGIN
[ -e /dev/nvidiactl ] || check "nothing to choose, nothing to explain" quiet generate
check "auto took the CPU: the same units" bash -c "$(declare -f same_units run_of); '$PLUMB' run '$tmp/exp.yaml' --results '$tmp/three' --quiet --device cpu && same_units \"\$(run_of '$tmp/one')\" \"\$(run_of '$tmp/three')\""

# The emulated device is the tests' own: it is opened by name, never by auto, and --help keeps it to itself.
PLUMB=$there
emulated=$PLUMB_BUILD/libplumb_cuda_emulated.so
if [ -e "$emulated" ]; then
  expect "no GPU" 2 'the driver shows no GPU' env CUEMU_DEVICES=0 "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda-emulated
  expect "no driver" 2 'no NVIDIA driver is installed' env CUEMU_FAIL=no-driver "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda-emulated
  expect "an old driver" 2 'driver is too old: it knows CUDA 11.4, .* was built with CUDA 12.4; update the driver' env CUEMU_FAIL=driver "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda-emulated
  expect "an old GPU" 2 'is sm_75: plumb needs sm_80 or newer' env CUEMU_ARCHITECTURE=75 "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda-emulated
  expect "a busy GPU" 1 'is busy: another process has it' env CUEMU_FAIL=busy "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda-emulated
  expect "a full GPU" 1 'has no room left for a CUDA context' env CUEMU_FAIL=full "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda-emulated
  expect "an index that does not exist" 2 'cuda-emulated:7 does not exist: there are 2, from cuda-emulated:0 to cuda-emulated:1' env CUEMU_DEVICES=2 "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda-emulated:7
  expect "the emulated plug-in is not taken for a GPU" 2 "is the backend 'cuda-emulated', expected 'cuda'" env PLUMB_CUDA_PLUGIN="$emulated" "$PLUMB" generate "$tmp/gpt2" --prompt A --device cuda
  check "auto never takes the emulator" says "device auto: cpu, because .*is the backend 'cuda-emulated'" env PLUMB_CUDA_PLUGIN="$emulated" "$PLUMB" generate "$tmp/gpt2" --prompt A --max-tokens 2
  check "generate on the emulated device" bash -c "'$PLUMB' generate '$tmp/gpt2' --prompt A --max-tokens 2 --device cuda-emulated >'$tmp/emulated.txt' && '$PLUMB' generate '$tmp/gpt2' --prompt A --max-tokens 2 --device cpu >'$tmp/cpu.txt' && cmp '$tmp/emulated.txt' '$tmp/cpu.txt'"

  # One key a model in a run: what one device began another does not go on with, though ids are the same.
  check "a run begun on the CPU" run "$tmp/keys" --quiet --device cpu
  keys=$(run_of "$tmp/keys")
  one=$(ls "$keys"/units/*.h5 | head -1)
  cp "$one" "$tmp/one.h5"
  rm "$one"
  expect "another device takes no unit of it" 3 "left out; model gpt2: this run's units are computed by 'cpu; .*, this process computes by 'cuda-" run "$tmp/keys" --quiet --device cuda-emulated
  check "... and the unit stays missing" test ! -e "$one"
  check "another device adopts nothing, and makes units of the same ids" bash -c "'$PLUMB' run '$tmp/exp.yaml' --results '$tmp/keys' name=other --device cuda-emulated 2>&1 | grep -q ' 0 adopted' && [ \$(ls '$keys'/../other-*/units/*.h5 | wc -l) = 1 ] && [ -e '$keys'/../other-*/units/$(basename "$one") ]"
  check "the first device goes on, and adopts nothing from the other" run "$tmp/keys" --quiet --device cpu
  check "... with the same bytes" cmp "$one" "$tmp/one.h5"
else
  fail "$emulated was not built"
fi
check "--help keeps the emulator to itself" bash -c "help=\$('$PLUMB' run --help) && ! grep -q emulated <<<\"\$help\""

# bfloat16 on the CPU: each model's key says who multiplies, a float32 model's before or behind one in bfloat16 too.
cat >"$tmp/bf16.yaml" <<Y
name: bf16
models:
  - {name: before, path: $tmp/gpt2, dtype: bf16}
  - {name: behind, path: $tmp/gpt2, dtype: float32}
tasks: [task.yaml]
arms: [{kind: prompt, shots: 0}]
items: 4
Y
keys() { cat "$1"/*/numerics/*-"$2"; }
bf16() { PLUMB_CPU=$1 "$PLUMB" run "$tmp/bf16.yaml" --results "$tmp/bf16$1" --device cpu --quiet; }
if grep -q avx512_bf16 /proc/cpuinfo; then
  check "a run in bfloat16 without AMX" bf16 avx512
  check "its key says so" grep -q '^cpu; plumb avx512-bf16; ' <(keys "$tmp/bf16avx512" bfloat16)
  check "the key of a float32 model beside it does not" grep -q '^cpu; plumb; ' <(keys "$tmp/bf16avx512" float32)
  if grep -q amx_bf16 /proc/cpuinfo; then
    check "a run in bfloat16" bf16 amx
    check "its key names AMX" grep -q '^cpu; plumb amx-bf16; ' <(keys "$tmp/bf16amx" bfloat16)
  fi
else
  skip "this CPU has no bfloat16"
fi
# bf16x3: its key, and one line where the CPU lacks it.
sed 's/^name: bf16$/name: split/; s/dtype: bf16}/dtype: bf16x3}/' "$tmp/bf16.yaml" >"$tmp/split.yaml"
split() { PLUMB_CPU=$1 "$PLUMB" run "$tmp/split.yaml" --results "$tmp/split$1" --device cpu --quiet; }
if grep -q amx_bf16 /proc/cpuinfo; then
  check "a run in bf16x3" split amx
  check "its key names AMX and the parts" grep -q '^cpu; plumb amx-bf16x3; ' <(keys "$tmp/splitamx" bf16x3)
  check "the key of a float32 model beside it is its own" grep -q '^cpu; plumb; ' <(keys "$tmp/splitamx" float32)
else
  skip "this CPU has no AMX"
fi
expect "bf16x3 on a CPU without AMX" 2 'bf16x3 needs a CPU with AMX, this one computes with portable: choose dtype float32' split portable
expect "bfloat16 on a CPU without it" 2 'bfloat16 needs a CPU with AVX-512-BF16 or AMX, this one computes with portable: choose dtype float32' bf16 portable
exit $((failures > 0))
