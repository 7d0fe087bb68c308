#!/usr/bin/env bash
# plumb train --ranks N: one training in several processes has the bits of one process, also when it goes on with another
# number of ranks; a rank that dies ends the others within seconds, with one line.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
$python - "$tmp/texts.jsonl" <<'P'
import json, sys
with open(sys.argv[1], "w") as out:
    for i in range(61):
        word = ["red", "green", "blue"][i % 3]
        out.write(json.dumps({"text": f"a {word} house" + f", a {word} door" * (i % 5)}) + "\n")
P
# The last step of an epoch has 3 texts for 8 lanes.
command=("$PLUMB" train "$tmp/gpt2" "$tmp/texts.jsonl" --threads 1 learning_rate=3e-3 train_batch_size=29 lanes=8 micro_batch_size=2 max_steps=9 dropout=0.1)
train() { "${command[@]}" --quiet "$@"; }
same() { cmp "$tmp/one/model.safetensors" "$1/model.safetensors" && cmp "$tmp/one/training.csv" "$1/training.csv"; }
check "one process" train --out "$tmp/one"
for n in 1 2 3 4 8; do
  check "$n ranks" train --out "$tmp/of-$n" --ranks $n
  check "$n ranks: the same bits" same "$tmp/of-$n"
done
check "nothing is left beside what was made" test -z "$(find "$tmp" -maxdepth 1 -name '*.state' -o -maxdepth 1 -name '*.tmp')"
expect "more ranks than lanes" 2 'lanes is 8: set lanes=9' train --out "$tmp/x" --ranks 9
expect "no number of ranks" 2 'expected a number from 1 to 64, or srun' train --out "$tmp/x" --ranks some
expect "one device for two ranks" 2 'ranks need one each' train --out "$tmp/x" --ranks 2 --device cuda:1
expect "srun without srun" 2 'SLURM_PROCID' env -u SLURM_PROCID "${command[@]}" --quiet --out "$tmp/x" --ranks srun
expect "all ranks say once that numbers are not finite" 1 'training stopped at step' train --out "$tmp/x" --ranks 3 learning_rate=1000 weight_decay=0.9 max_grad_norm=0 max_steps=200 lr_scheduler_type=constant
rm -rf "$tmp/x.state"

# As srun starts them: every rank by itself.
srun_like() {
  local rank pids=() code=0
  for rank in 2 0 1; do
    SLURM_PROCID=$rank SLURM_NTASKS=3 SLURM_LOCALID=$rank SLURM_JOB_ID=7 SLURM_STEP_ID=0 train --out "$tmp/srun" --ranks srun & pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || code=1; done
  return $code
}
check "ranks of srun" srun_like
check "ranks of srun: the same bits" same "$tmp/srun"

# children PID: the processes that it has started.
children() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
some_children() { [ "$(children "$1" | wc -w)" -ge "$2" ]; }
gone() { local pid; for pid in "$@"; do [ ! -e "/proc/$pid" ] || grep -q '^State:\s*Z' "/proc/$pid/status" 2>/dev/null || return 1; done; }
within_seconds() { local end=$((SECONDS + $1)); shift; until "$@"; do ((SECONDS < end)) || return 1; sleep 0.05; done; }
begin() { # begin RANKS: a long training in the background: $pid, $others
  "${command[@]}" --out "$tmp/long" --ranks "$1" max_steps=10000 >"$tmp/long.log" 2>&1 & pid=$!
  wait_for "$tmp" some_children $pid $(($1 - 1)) || return 1
  others=$(children $pid)
  sleep "$2"
}
for after in 0 0.5; do
  begin 4 $after
  set -- $others
  kill -KILL "$2"
  check "after ${after} s a rank is killed: the others end within seconds" within_seconds 10 gone $pid $others
  wait $pid 2>/dev/null; code=$?
  [ $code -eq 1 ] && pass "with exit code 1" || fail "exit code $code"
  [ "$(grep -c '^plumb: ' "$tmp/long.log")" -eq 1 ] && grep -q '^plumb: rank 2 of 4 .*was ended by signal 9 (Killed); the same command goes on' "$tmp/long.log" && pass "and one line" || { fail "and one line"; cat "$tmp/long.log"; }
  rm -rf "$tmp/long.state"
done
begin 3 0.3
kill -KILL $pid; wait $pid 2>/dev/null
check "rank 0 is killed: the others end within seconds" within_seconds 10 gone $others
rm -rf "$tmp/long.state"
begin 3 0.3
kill -TERM $pid $others; wait $pid; code=$?
[ $code -eq 75 ] && pass "SIGTERM to all ends with 75" || { fail "SIGTERM: exit code $code"; cat "$tmp/long.log"; }
check "and no rank stays" within_seconds 10 gone $others
rm -rf "$tmp/long.state"
begin 3 0.3
set -- $others
kill -STOP "$1"
sleep 0.5
kill -KILL "$2"
kill -CONT "$1"
check "a rank dies while another sleeps" within_seconds 10 gone $pid $others
wait $pid 2>/dev/null
rm -rf "$tmp/long.state"

# Stopped by a signal and gone on with other numbers of ranks (random kills: tests/train/test_ranks.c).
for n in 3 1 4; do
  "${command[@]}" --out "$tmp/moved" --ranks $n max_steps=400 >"$tmp/moved.log" 2>&1 & pid=$!
  wait_for "$tmp" grep -qs 'memory at its peak' "$tmp/moved.log"
  sleep 0.3
  kill -TERM $pid; wait $pid; code=$?
  [ $code -eq 75 ] || fail "$n ranks, SIGTERM: exit code $code"
done
check "goes on with other numbers of ranks" train --out "$tmp/moved" --ranks 2 max_steps=400
check "one process, as long" train --out "$tmp/unmoved" max_steps=400
check "the same bits" sh -c "cmp '$tmp/moved/model.safetensors' '$tmp/unmoved/model.safetensors' && cmp '$tmp/moved/training.csv' '$tmp/unmoved/training.csv'"
# The same on emulated GPUs over the stand-in for NCCL (CUEMU_LAZY: what is on a stream runs in the wait for it).
emulated=$PLUMB_BUILD/libplumb_cuda_emulated.so
on_gpus() { # on_gpus OUT RANKS
  PLUMB_CUDA_PLUGIN=$emulated CUEMU_DEVICES=3 CUEMU_LAZY=1 "$PLUMB" train "$tmp/gpt2" "$tmp/few.jsonl" --device cuda-emulated --threads 1 \
    lanes=3 train_batch_size=4 max_steps="${3:-2}" learning_rate=3e-3 --quiet --out "$1" --ranks "$2"
}
head -8 "$tmp/texts.jsonl" >"$tmp/few.jsonl"
if [ ! -e "$emulated" ]; then
  skip "ranks on emulated GPUs: this build has none"
elif on_gpus "$tmp/gpu-1" 1 >"$tmp/gpu.log" 2>&1; then
  for n in 2 3; do
    check "$n ranks on emulated GPUs" on_gpus "$tmp/gpu-$n" $n
    check "$n ranks on emulated GPUs: the same bits" cmp "$tmp/gpu-1/model.safetensors" "$tmp/gpu-$n/model.safetensors"
  done
  on_gpus "$tmp/gpu-x" 3 10000 >"$tmp/long.log" 2>&1 & pid=$!
  wait_for "$tmp" some_children $pid 1 # of the function's shell: plumb
  plumb=$(children $pid | tr -d ' ')
  wait_for "$tmp" some_children "$plumb" 2
  others=$(children "$plumb")
  sleep 3
  set -- $others
  kill -KILL "$1"
  check "a rank on an emulated GPU is killed: the others end within seconds" within_seconds 20 gone "$plumb" $others
  wait $pid
  [ "$(grep -c '^plumb: ' "$tmp/long.log")" -eq 1 ] && grep -q 'was ended by signal 9' "$tmp/long.log" && pass "with one line" || { fail "with one line"; cat "$tmp/long.log"; }
else
  grep -q 'is not supported' "$tmp/gpu.log" && skip "ranks on emulated GPUs: $(head -1 "$tmp/gpu.log")" || { fail "training on an emulated GPU"; head -3 "$tmp/gpu.log"; }
fi
exit $((failures > 0))
