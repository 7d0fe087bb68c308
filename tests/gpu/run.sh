#!/usr/bin/env bash
# Everything that needs a GPU, in one command of at most eight minutes: sections by name, the most telling first, each with
# a deadline of its own. Ends with the counts of passed, failed and skipped.
#
#   tests/gpu/run.sh [BUILD]              from a build tree (-DPLUMB_CUDA=ON; default: build), or inside an unpacked bundle
#   tests/gpu/run.sh [BUILD] --emulated   the same on the emulated device at small size: shows that the script runs
#   --only A,B      these sections only (sections.sh: smoke, ops, certificate, benchmarks, job, training, maps, sanitizer)
#   --no-bench      no benchmarks, in training neither
#   --seconds N     the whole ends after about N seconds (default: 480; emulated 4800). A section's deadline shrinks with it
#   --output DIR    where the tables go (default: gpu-results below BUILD; the bundle's folder when that is BUILD)
#
# Each result is a line of DIR/results.tsv as soon as it is known: section, seconds since the start, PASS, FAIL or SKIP,
# what. DIR/machine.txt says on what; the ops' times are in DIR/gpu-ops.tsv, the benchmarks' tables in DIR/gpu-inference.md,
# DIR/gpu-training.md and DIR/gpu-maps.md.
# What no time was left for is a SKIP, and so is what a deadline stops before it had half of its section's usual time; what
# had more and has not ended is a FAIL. A missing tool, library or permission is a SKIP that says so.
#
# PLUMB_GPU_DEVICE names the device (default: cuda), PLUMB_PYTHON the Python that has torch, transformers and h5py. Needs
# bash and, for the benchmarks, that Python; nothing else of the machine but its driver and cuBLASLt. Without a GPU it
# prints SKIP and the count.
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD build="" only="" bench=1 output="" whole=""
: "${PLUMB_GPU_DEVICE:=cuda}"
wrong() { echo "run.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
  --emulated) PLUMB_GPU_DEVICE=cuda-emulated ;;
  --no-bench) bench=0 ;;
  --only | --seconds | --output)
    [ $# -gt 1 ] || wrong "$1 needs a value"
    case $1 in --only) only=$2 ;; --seconds) whole=$2 ;; *) output=$2 ;; esac
    shift
    ;;
  -*) wrong "'$1' is not known: expected a build folder, --emulated, --only, --no-bench, --seconds or --output" ;;
  *) build=$(realpath "$1") ;;
  esac
  shift
done
bundled=0
[ -d libexec ] && bundled=1
if [ -z "$build" ]; then if [ $bundled -eq 1 ]; then build=$root; else build=${PLUMB_BUILD:-$root/build}; fi; fi
device=$PLUMB_GPU_DEVICE emulated=0
[ "${device%%:*}" = cuda-emulated ] && emulated=1
[ -n "$whole" ] || whole=$((emulated ? 4800 : 480))
[[ $whole =~ ^[1-9][0-9]{0,5}$ ]] || wrong "--seconds is '$whole': expected a whole number from 1 on"
: "${output:=$build/gpu-results}"
mkdir -p "$output" && output=$(realpath "$output") || wrong "cannot make the folder '$output'"
: >"$output/results.tsv" || wrong "cannot write in '$output'"
export PLUMB_TEST_DEVICE=$device

program() {
  if [ $bundled -eq 1 ]; then
    if [ -e "$build/bin/$1" ]; then echo "$build/bin/$1"; else echo "$build/tests/bin/$1"; fi
  else find "$build" -maxdepth 3 -type f -name "$1" -perm -u+x -not -path "$build/bundle/*" | head -1
  fi
}
if [ $bundled -eq 0 ] && [ -z "${PLUMB_CUDA_PLUGIN:-}" ]; then
  plugin=$build/libplumb_cuda.so
  [ $emulated -eq 1 ] && plugin=$build/libplumb_cuda_emulated.so
  [ -e "$plugin" ] && export PLUMB_CUDA_PLUGIN=$plugin
fi
export PLUMB_BUILD=$build PLUMB=$(program plumb) PLUMB_MAKE_MODEL=$(program plumb-make-model)
source tests/program/lib.sh
[ -n "${PLUMB_PYTHON:-}" ] && python=$PLUMB_PYTHON

# ---- Results ----
section=start passed=0 failed=0 skipped=0
said() { printf '%s\t%s\t%s\t%s\n' "$section" "$SECONDS" "$1" "${*:2}" >>"$output/results.tsv"; echo "$*"; }
pass() { said PASS "$*"; passed=$((passed + 1)); }
fail() { said FAIL "$*"; failed=$((failed + 1)); }
skip() { said SKIP "$*"; skipped=$((skipped + 1)); }

# ---- Time ----
# The usual deadlines in seconds, together 480; a shorter or longer whole shares itself out in the same way.
names=(smoke ops certificate benchmarks job training maps sanitizer)
declare -A share=([smoke]=30 [ops]=105 [certificate]=50 [benchmarks]=105 [job]=70 [training]=65 [maps]=25 [sanitizer]=30)
deadline=0 # of the section, on the clock of SECONDS
left() { echo $((deadline > SECONDS ? deadline - SECONDS : 0)); }
late() { [ "$SECONDS" -ge "$deadline" ]; }

# Runs a command for as long as the section has; 124 or 137: it was stopped.
limited() { timeout -k 5 "$(($(left) + 1))" "$@"; }

# stopped LABEL SINCE: what had half of its section's usual time should have ended.
stopped() {
  if ((2 * (SECONDS - $2) >= share[$section] * (emulated ? 10 : 1))); then fail "$1: has not ended after $((SECONDS - $2)) s"; else skip "$1: stopped after $((SECONDS - $2)) s, no time left"; fi
}

# check NAME COMMAND...: the command succeeds; a program in it is `limited`.
check() {
  local name=$1 since=$SECONDS code
  shift
  if late; then skip "$name: no time left"; return; fi
  "$@" >"$tmp/check.out" 2>&1
  code=$?
  case $code in
  0) pass "$name" ;;
  124 | 137) stopped "$name" "$since" ;;
  *) fail "$name"; tail -3 "$tmp/check.out" ;;
  esac
}

# test_program NAME LABEL [VARIABLE=VALUE ...] [-- ARGUMENTS]: a cmocka program; 77 means that it had nothing to run on.
test_program() {
  local path label=$2 code variables=() since=$SECONDS
  path=$(program "$1")
  shift 2
  while [ $# -gt 0 ] && [ "$1" != -- ]; do variables+=("$1"); shift; done
  [ $# -gt 0 ] && shift
  [ -n "$path" ] && [ -x "$path" ] || { fail "$label: the program was not built"; return; }
  if late; then skip "$label: no time left"; return; fi
  limited env "${variables[@]}" "$path" "$@" >"$tmp/test.log" 2>&1
  code=$?
  case $code in
  0) pass "$label" ;;
  77) skip "$label: $(grep -m1 SKIP "$tmp/test.log" | sed 's/^SKIP[: ]*//')" ;;
  124 | 137) stopped "$label" "$since" ;;
  *)
    # A library that has no product for some shape is no fault of a kernel: the default products go round it. Wrong
    # values may be one of how it was asked (cuda/product.c names the cause).
    if grep -q "PLUMB_CUDA_PRODUCT=.*cannot be cuBLASLt's" "$tmp/test.log" && ! grep -q "cannot be cuBLASLt's.*values differ" "$tmp/test.log"; then
      skip "$label: $(grep -m1 -o "products with a weight.*" "$tmp/test.log")"
    else
      fail "$label (exit code $code)"; grep -vE '^\[ *(RUN|OK|=+|-+) *\]' "$tmp/test.log" | head -12
    fi
    ;;
  esac
}
programs() { # PATTERN: what there is of them
  if [ $bundled -eq 1 ]; then ls "$build/bin" "$build/tests/bin"; else find "$build/tests" -maxdepth 1 -type f -perm -u+x -printf '%f\n'; fi | grep -E "$1" | sort
}

source tests/gpu/sections.sh
finish() {
  printf '\n== done (%d s): %s\n' "$SECONDS" "$output/results.tsv"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

for name in ${only//,/ }; do [ -n "${share[$name]:-}" ] || wrong "--only names '$name': expected some of ${names[*]}"; done
device_opens || finish
for section in "${names[@]}"; do
  [ -z "$only" ] || [[ ,$only, == *",$section,"* ]] || continue
  if [ "$section" = benchmarks ] && [ $bench -eq 0 ]; then skip "benchmarks: --no-bench"; continue; fi
  given=$((share[$section] * whole / 480))
  [ $given -gt 0 ] || given=1
  deadline=$((SECONDS + given < whole ? SECONDS + given : whole))
  printf '\n== %s (%d s, until %d s)\n' "$section" "$SECONDS" "$deadline"
  if late; then skip "$section: no time left"; else "section_$section"; fi
done
finish
