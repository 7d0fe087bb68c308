#!/usr/bin/env bash
# plumb run in several processes on one machine: as many as there are GPUs, or as --ranks says; the same bytes as one, also
# when a process is killed or all are asked to stop.
source "$(dirname "$0")/lib.sh"
tiny_model "$tmp/gpt2" gpt2
tiny_model "$tmp/llama" llama
words=(run tests/program/random.yaml "models=[$tmp/gpt2,$tmp/llama]" items=6)
run() { "$PLUMB" "${words[@]}" --results "$@"; }
on_cpu() { run "$@" --device cpu --threads 1; }
check "one process" on_cpu "$tmp/one" --quiet
one=$(run_of "$tmp/one")
for n in 2 3; do
  check "$n processes" on_cpu "$tmp/of-$n" --quiet --ranks $n
  check "$n processes: the same bytes" same_units "$one" "$(run_of "$tmp/of-$n")"
  check "$n processes: analysed" cmp "$one/stability.csv" "$(run_of "$tmp/of-$n")/stability.csv"
  check "$n processes: both have computed" bash -c "[ \$(grep -c 'in this process' $(run_of "$tmp/of-$n")/log.txt) -eq $n ]"
done
expect "srun is for shards" 2 'share a run by --shard' on_cpu "$tmp/x" --ranks srun
expect "one device for two" 2 'ranks need one each' run "$tmp/x" --ranks 2 --device cuda:1

# A process each for the GPUs that there are.
plugin=$(find "$PLUMB_BUILD" -name libplumb_cuda_emulated.so | head -1)
if [ -n "$plugin" ]; then
  on_two() { CUEMU_DEVICES=2 PLUMB_CUDA_PLUGIN=$plugin run "$@" --device cuda-emulated 'tasks=[../../experiments/tasks/plural.yaml]' 'arms.0.shots=[0]' templates.dev=[]; }
  check "two GPUs" on_two "$tmp/two"
  check "two GPUs: both are used" bash -c "grep -rlF 'cuda-emulated:0' $tmp/two/*/log.txt && grep -rlF 'cuda-emulated:1' $tmp/two/*/log.txt"
  check "one of two GPUs" on_two "$tmp/first" --ranks 1
  check "two GPUs: the bytes of one" same_units "$(run_of "$tmp/two")" "$(run_of "$tmp/first")"
else
  skip "two GPUs: this build has no emulated CUDA backend"
fi

# What one process fails at is not tried by the others; a learner's evaluations go to all, once it is there.
parity_task "$tmp" 40
cat >"$tmp/learn.yaml" <<Y
name: learn
models: [$tmp/gpt2]
tasks: [task.yaml]
items: 8
arms: [{kind: finetune, head: lm, n_train: 16, train_templates: [bare], num_train_epochs: 2, learning_rate: 1.0e-3}]
Y
learn() { "$PLUMB" run "$tmp/learn.yaml" --device cpu --threads 1 --quiet --ranks 3 "$@"; }
check "a learner and its evaluations" learn --results "$tmp/learned"
check "a learner is trained once" bash -c "[ \$(grep -c 'unit .*: .* items in' $tmp/learned/*/log.txt) -eq \$(ls $tmp/learned/*/units/*.h5 | wc -l) ]"
fails() { learn --results "$1" arms.0.learning_rate=1000 arms.0.weight_decay=0.9 arms.0.max_grad_norm=0 arms.0.num_train_epochs=100 >"$tmp/log" 2>&1; }
fails "$tmp/failed"
[ $? -eq 3 ] && pass "a learner that fails: 3" || { fail "a learner that fails: another exit code"; tail -3 "$tmp/log"; }
check "a learner that fails: one line" bash -c "[ \$(grep -c '^plumb: ' $tmp/log) -eq 1 ] && ! grep -q 'another process' $tmp/log"
tried_once() { [ "$(grep -c ' failed: ' "$1"/*/log.txt)" -eq 1 ]; }
check "a learner that fails is tried once" tried_once "$tmp/failed"
shim=$(find "$PLUMB_BUILD" -name 'libshared_shim.so' | head -1)
PLUMB_LATE=4 LD_PRELOAD=$shim fails "$tmp/late"
check "a learner that fails is tried once, also when the others begin behind its failure" tried_once "$tmp/late"

children() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
started() { [ -n "$(children "$1")" ] && ls "$2"/*/units/*.h5 >/dev/null 2>&1; }
begin() { # RESULTS: $pid, $other
  "$PLUMB" "${words[@]}" --results "$1" --device cpu --threads 1 --quiet --ranks 2 >"$tmp/log" 2>&1 & pid=$!
  wait_for "$1" started $pid "$1" || return 1
  other=$(children $pid)
}
begin "$tmp/killed"
kill -KILL $other
wait $pid && pass "a process is killed: the other one does its work" || { fail "a process is killed: exit code $?"; tail -3 "$tmp/log"; }
check "a process is killed: the same bytes" same_units "$one" "$(run_of "$tmp/killed")"

begin "$tmp/asked"
kill -TERM $pid
wait $pid
[ $? -eq 75 ] && pass "asked to stop: 75" || { fail "asked to stop: another exit code"; tail -3 "$tmp/log"; }
# The children may have been more than the other rank: a helper notices the end of the process that it reads for.
check "asked to stop: all have ended" bash -c "for i in \$(seq 50); do kill -0 $other 2>/dev/null || exit 0; sleep 0.1; done; exit 1"
check "asked to stop: one line" bash -c "[ \$(grep -c '^plumb: ' $tmp/log) -eq 1 ]"
check "asked to stop: goes on alone" on_cpu "$tmp/asked" --quiet
check "asked to stop: the same bytes" same_units "$one" "$(run_of "$tmp/asked")"
exit $((failures > 0))
