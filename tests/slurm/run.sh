#!/usr/bin/env bash
# experiments/slurm/run.sbatch on a real one-node Slurm. First the script by itself (array.sh), with a stand-in for plumb.
# Then an array of three shards over EXPERIMENT, of which one is requeued by the controller and one is drained by a signal
# while they run: the unit files must come out byte for byte as those of one undisturbed process, the merge must have run,
# and nothing may be left over.
#
#   tests/slurm/run.sh [PLUMB [EXPERIMENT.yaml [REFERENCE]]]
#     PLUMB       default: $PLUMB, else build/plumb
#     EXPERIMENT  default: shot scaling on a tiny random model, which $PLUMB_MAKE_MODEL (default: beside PLUMB) makes
#     REFERENCE   the run folder of a finished single-process run of it; default: made here
# Prints PASS, FAIL and SKIP lines; exits with 1 after a FAIL, with 0 when it could not run.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
plumb=$(realpath "${1:-${PLUMB:-$root/build/plumb}}")
make_model=$(realpath "${PLUMB_MAKE_MODEL:-$(dirname "$plumb")/plumb-make-model}")
experiment=${2:+$(realpath "$2")}
reference=${3:+$(realpath "$3")}

skip() { echo "SKIP slurm: $*"; exit 0; }
[ "$(id -u)" -eq 0 ] || skip "needs root to start the daemons"
for program in slurmctld slurmd sbatch srun scontrol; do
    command -v $program >/dev/null || skip "$program is not installed"
done

failures=0
pass() { echo "PASS slurm: $*"; }
fail() { echo "FAIL slurm: $*"; failures=$((failures + 1)); }

work=$(mktemp -d)
finish() {
    local code=$?
    "$here/down.sh" "$work/slurm"
    if [ $code -eq 1 ]; then
        tail -n 30 "$work"/*.log 2>/dev/null
        tail -n 10 "$work"/slurm/log/*.log 2>/dev/null
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# wait_for COMMAND...: polls until the command succeeds. It gives up when nothing has changed for two minutes: no task
# changed its state, no unit and no line of a log was written. The machine may be as slow as it likes.
standing() { squeue -h -r -j "$job" -o '%K %T' 2>/dev/null; n_units; cat "$work"/plumb-*.log "$work"/stand-in-*/calls 2>/dev/null | wc -c; }
wait_for() {
    local before='' now quiet=$SECONDS
    while ! "$@"; do
        now=$(standing)
        [ "$now" = "$before" ] || quiet=$SECONDS
        before=$now
        ((SECONDS - quiet < 120)) || return 1
        sleep 0.1
    done
}
state_of() { squeue -h -r -j "${job}_$1" -o %T 2>/dev/null; }
gone() { [ -z "$(squeue -h -j "$job" 2>/dev/null)" ]; }
n_units() { find "$work/results" -name '*.h5' 2>/dev/null | wc -l; }
some_units() { [ "$(n_units)" -ge "$1" ]; }
restarted() { grep -q "restart [1-9]" "$work/plumb-${job}_$1.log" 2>/dev/null; }

# Long enough that tasks can be disturbed in the middle: some ten seconds of one process, in units of a fraction of one.
if [ -z "$experiment" ]; then
    experiment=$work/experiment.yaml
    "$make_model" "$work/model" --width 128 --heads 8 --layers 6 "$root"/experiments/paper/data/*.jsonl >"$work/model.log" ||
        { fail "the model could not be made"; exit 1; }
    cat >"$experiment" <<END
name: slurm
models: [{path: $work/model}]
tasks: [$root/experiments/tasks/sentiment.yaml, $root/experiments/tasks/plural.yaml]
templates: {id: [standard], dev: [short, qa], ood: [statement, dialogue]}
arms: [{kind: prompt, shots: [0, 2, 4], draws: 3, readout: [loglikelihood, generate]}]
capture: {layers: default, positions: [last, mean], dtype: float32, items: 50}
items: 100
END
fi

"$here/up.sh" "$work/slurm" || { fail "Slurm did not start"; exit 1; }
export SLURM_CONF=$work/slurm/slurm.conf
cd "$work" || exit 1
source "$here/array.sh"

# The same overrides for both; PLUMB is a command of several words, as a container's is.
overrides=(--device cpu)
if [ -z "$reference" ]; then
    overrides+=(seed=4321)
    OMP_NUM_THREADS=1 "$plumb" run "$experiment" --results "$work/single" "${overrides[@]}" >"$work/single.log" 2>&1 ||
        { fail "the single-process run failed"; tail -n 20 "$work/single.log"; exit 1; }
    reference=$(find "$work/single" -mindepth 1 -maxdepth 1 -type d ! -name '.*' | head -n 1)
fi
total=$(find "$reference/units" -name '*.h5' | wc -l)
[ "$total" -ge 6 ] || { fail "the reference has $total units: expected at least 6 for three shards"; exit 1; }

# Only what this machine has is overridden; everything else is the shipped script as it stands.
job=$(PLUMB="env LC_ALL=C $plumb" sbatch --parsable --array=0-2 --cpus-per-task=1 --mem=1G --time=10 \
    "$root/experiments/slurm/run.sbatch" "$experiment" "$work/results" "${overrides[@]}") || { fail "sbatch refused the script"; exit 1; }

# Task 1 is requeued by the controller, task 2 gets the signal that Slurm sends before the time limit.
wait_for some_units 2 || { fail "no units"; exit 1; }
[ "$(state_of 1)" = RUNNING ] && pass "task 1 is running after $(n_units) of $total units" ||
    fail "task 1 is '$(state_of 1)' after $(n_units) of $total units: too short an experiment to be requeued in the middle"
scontrol requeue "${job}_1" || fail "scontrol requeue was refused"
[ "$(state_of 2)" = RUNNING ] || fail "task 2 is '$(state_of 2)': too short an experiment to be drained in the middle"
scancel --signal=USR1 "${job}_2" || fail "the drain signal was refused"

wait_for gone || { fail "nothing moves and it is still in the queue: $(squeue -h -r -j "$job" -o '%i %T %r' | tr '\n' ';')"; exit 1; }

for task in 1 2; do
    restarted $task && pass "task $task ran again" || fail "task $task was not restarted"
done
grep -q "drained; back into the queue" "$work/plumb-${job}_2.log" && pass "the signal drained task 2 (exit 75, requeued)" ||
    fail "task 2 did not drain on USR1"
for task in 0 1 2; do
    exit_code=$(scontrol show job "${job}_$task" | grep -o 'ExitCode=[0-9:]*')
    [ "$exit_code" = ExitCode=0:0 ] || fail "task $task ended with ${exit_code:-no record}"
done

run=$(find "$work/results" -mindepth 1 -maxdepth 1 -type d ! -name '.*')
[ "$(basename "$run")" = "$(basename "$reference")" ] && pass "one run folder of the same name: $(basename "$run")" ||
    fail "run folders '$run' and '$reference': expected the same name"
differing=0
for file in "$reference"/units/*.h5; do
    cmp -s "$file" "$run/units/$(basename "$file")" || differing=$((differing + 1))
done
extra=$(($(find "$run/units" -name '*.h5' | wc -l) - total))
[ $differing -eq 0 ] && [ $extra -eq 0 ] && pass "$total unit files, byte for byte those of one process" ||
    fail "$differing of $total unit files are missing or differ, $extra are too many"
[ -z "$(find "$run" -name '*.tmp')" ] && pass "no partial files are left" || fail "partial files are left"
[ "$(grep -l 'it is the last: merge' "$work"/plumb-"${job}"_*.log | wc -l)" -eq 1 ] && pass "one task merged" ||
    fail "expected one task to merge"
[ -z "$(find "$work/results" -maxdepth 1 -name '.merge-*')" ] && pass "no marks are left" || fail "marks are left"
[ -e "$run/DONE" ] && ls "$run"/results*.json "$run"/samples_*.jsonl >/dev/null 2>&1 && pass "the merge analysed the run" ||
    fail "DONE, results or samples are missing after the merge"
cmp -s "$run/stability.csv" "$reference/stability.csv" && pass "the same stability table" || fail "stability.csv differs"

exit $((failures > 0))
