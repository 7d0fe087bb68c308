#!/usr/bin/env bash
# The whole program, from outside: tests/program/*.sh, a real Slurm, the GPU suite's script (emulated where there is none).
source "$(dirname "$0")/common.sh"
step "whole-program tests"
export PLUMB=$PWD/build-test/plumb PLUMB_MAKE_MODEL=$PWD/build-test/plumb-make-model PLUMB_BUILD=$PWD/build-test
for test in tests/program/*.sh tests/slurm/run.sh tests/gpu/{run,emulated}.sh; do
  case $test in */lib.sh | */real_input.sh) continue ;; esac # sourced by the others; called by them
  [ -x "$test" ] || { fail "$test cannot be run"; continue; }
  printf '%s (%d s)\n' "$test" $((SECONDS + ${PLUMB_SUITE_S:-0}))
  script "build-test/$(basename "$(dirname "$test")")-$(basename "$test" .sh).log" "$test"
done
