#!/usr/bin/env bash
# Stands for plumb where only the array script is tried: writes down how it was called, one line a call, and ends when
# $STAND_IN/go-<task id> is there. USR1 and TERM drain it, as they drain plumb.
trap 'echo drained; exit 75' USR1 TERM
{
    printf 'task %s restart %s:' "$SLURM_ARRAY_TASK_ID" "${SLURM_RESTART_COUNT:-0}"
    printf ' <%s>' "$@"
    echo
} >>"$STAND_IN/calls"
until [ -e "$STAND_IN/go-$SLURM_ARRAY_TASK_ID" ]; do
    sleep 0.1 &
    wait $! # a trap runs at once in a wait, and only after a foreground sleep
done
