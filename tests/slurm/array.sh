# Sourced by run.sh: what the array script itself does, with stand_in.sh in place of plumb. Nothing here depends on how
# fast anything is: a task ends when its file says so.

field_of() { scontrol show job "${job}_$1" 2>/dev/null | grep -oE "(^| )$2=[^ ]*" | head -n 1 | cut -d= -f2; }
is() { [ "$(field_of "$1" "$2")" = "$3" ]; }
called() { grep -q "^task $1 restart $2:" "$STAND_IN/calls" 2>/dev/null; }

# submit NAME SBATCH-OPTION... -- ARGUMENT...: run.sbatch with the stand-in; sets job and STAND_IN.
submit() {
    export STAND_IN=$work/stand-in-$1
    local array=()
    shift
    mkdir -p "$STAND_IN"
    while [ "$1" != -- ]; do array+=("$1") && shift; done
    shift
    job=$(PLUMB="env FROM=a-container $here/stand_in.sh" sbatch --parsable "${array[@]}" --cpus-per-task=1 --mem=100 \
        --time=10 "$root/experiments/slurm/run.sbatch" x.yaml "$STAND_IN/results" "$@") || fail "sbatch refused: $*"
}

# The last task of an array has the array's own job id: put back must be that task and no other.
submit last --array=0-3 --
touch "$STAND_IN/go-0"
wait_for is 0 JobState COMPLETED || fail "task 0 is $(field_of 0 JobState)"
for task in 1 2 3; do wait_for called $task 0 || fail "task $task did not start"; done
scancel "${job}_1"
wait_for is 1 JobState CANCELLED || fail "task 1 is $(field_of 1 JobState)"
scancel --signal=USR1 "${job}_3"
wait_for called 3 1 && pass "the last task drains and runs again" || fail "task 3 did not run again"
is 0 JobState COMPLETED && is 0 Restarts 0 && pass "a task that was done stays done" ||
    fail "task 0 is $(field_of 0 JobState), restarts $(field_of 0 Restarts)"
is 1 JobState CANCELLED && is 1 Restarts 0 && pass "a task that was cancelled stays cancelled" ||
    fail "task 1 is $(field_of 1 JobState), restarts $(field_of 1 Restarts)"
is 2 JobState RUNNING && is 2 Restarts 0 && pass "a task that runs goes on" ||
    fail "task 2 is $(field_of 2 JobState), restarts $(field_of 2 Restarts)"
touch "$STAND_IN"/go-{1,2,3}
wait_for gone || fail "the array is still in the queue"
shards_of() { grep -o '<[0-9]*/[0-9]*>' "$STAND_IN/calls" | sort "$@" | xargs; }
[ "$(grep '^task 3' "$STAND_IN/calls" | grep -o '<[0-9]/4>' | sort -u | wc -l)" -eq 1 ] && pass "it finds its shard again" ||
    fail "task 3 changed its shard: $(cat "$STAND_IN/calls")"

# A list of ids is dealt out by position; overrides and options arrive as they were typed.
submit list --array=1,4,6%2 -- name=other 'templates.ood=[a, b c]' --device cpu --threads 2
touch "$STAND_IN"/go-{1,4,6}
wait_for gone || fail "the list array is still in the queue"
[ "$(shards_of)" = "<0/3> <1/3> <2/3>" ] && pass "--array=1,4,6%2: three shards, each once" ||
    fail "--array=1,4,6%2: shards $(shards_of), expected 0/3 1/3 2/3"
words="<run> <x.yaml> <--results> <$STAND_IN/results> <name=other> <templates.ood=\[a, b c\]> <--device> <cpu> <--threads> <2>"
[ "$(grep -cE "^task [146] restart 0: $words <--shard> <[012]/3>\$" "$STAND_IN/calls")" -eq 3 ] && pass "overrides and options reach every shard" ||
    { fail "overrides and options: expected 3 lines of $words"; cat "$STAND_IN/calls"; }
[ "$(grep -cE "^task [146] restart 0: $words\$" "$STAND_IN/calls")" -eq 1 ] && pass "one merge, with the same overrides" ||
    { fail "expected one merge with $words"; cat "$STAND_IN/calls"; }
[ -z "$(find "$STAND_IN/results" -name '.merge-*' -type d)" ] && pass "no marks are left" || fail "marks are left"

# The limit of restarts.
export PLUMB_RESTARTS=1
submit limit --array=5 --
wait_for called 5 0 || fail "task 5 did not start"
scancel --signal=USR1 "${job}_5"
wait_for called 5 1 || fail "task 5 was not put back once"
scancel --signal=USR1 "${job}_5"
wait_for is 5 JobState FAILED && is 5 Restarts 1 && is 5 ExitCode 75:0 && pass "the limit of restarts ends a task with 75" ||
    fail "task 5 is $(field_of 5 JobState), restarts $(field_of 5 Restarts), exit $(field_of 5 ExitCode)"
unset PLUMB_RESTARTS

# Shards by hand.
expect_log() { grep -q "$1" "$work"/plumb-"$job"_*.log && pass "$2" || fail "$2: $(cat "$work"/plumb-"$job"_*.log)"; }
submit shard --array=0-1 -- --shard 0/2
wait_for gone
expect_log "shards are the array's tasks" "--shard is refused with what to do"
