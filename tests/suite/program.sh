#!/usr/bin/env bash
# The whole program, from outside: tests/program/*.sh, a real Slurm, the GPU suite's script (emulated where there is none).
# Each is counted in a file of its own.
source "$(dirname "$0")/common.sh"
step "whole-program tests"
export PLUMB=$PWD/build-test/plumb PLUMB_MAKE_MODEL=$PWD/build-test/plumb-make-model PLUMB_BUILD=$PWD/build-test

# whole NAME TEST: its results in build-test/NAME.counts, what it printed in build-test/NAME.log.
whole() {
  PLUMB_COUNTS=build-test/$1.counts
  : >"$PLUMB_COUNTS"
  if [ -x "$2" ]; then script "build-test/$1.log" "$2"; else fail "$2 cannot be run"; fi
  printf '%s (%d s)\n' "$2" $((SECONDS + ${PLUMB_SUITE_S:-0}))
}

# The longest first: a lane that ends with one of them would run alone for minutes.
longest=(tests/program/bundle.sh tests/gpu/emulated.sh tests/slurm/run.sh tests/program/{crew,invariance,allocation,staged,ranks}.sh)
names=()
for test in "${longest[@]}" tests/program/*.sh tests/gpu/run.sh; do
  case $test in */lib.sh | */real_input.sh) continue ;; esac # sourced by the others; called by them
  name=$(basename "$(dirname "$test")")-$(basename "$test" .sh)
  [[ " ${names[*]} " == *" $name "* ]] && continue
  names+=("$name")
  two_at_a_time whole "$name" "$test"
done
wait
for name in "${names[@]}"; do cat "build-test/$name.counts" >>"$PLUMB_COUNTS"; done
