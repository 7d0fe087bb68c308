#!/usr/bin/env bash
# Everything that needs a GPU, in one command: op cases against the CPU's results, golden models, the certificate, the
# main job end to end, compute-sanitizer, the benchmarks. Ends with the counts of passed, failed and skipped.
#
#   tests/gpu/run.sh [BUILD]              from a build tree (-DPLUMB_CUDA=ON; default: build), or inside an unpacked bundle
#   tests/gpu/run.sh [BUILD] --emulated   the same script on the emulated device at small size: shows that it runs
#   --no-bench                            without the benchmarks
#
# PLUMB_GPU_DEVICE names the device (default: cuda), PLUMB_PYTHON the Python that has torch, transformers and h5py. Needs
# bash and, for the benchmarks, that Python; nothing else of the machine but its driver and cuBLASLt. Without a GPU it
# prints SKIP and the count. The benchmarks' table goes to BUILD/gpu-inference.md, the ops' times to BUILD/gpu-ops.tsv.
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD build="" bench=1
: "${PLUMB_GPU_DEVICE:=cuda}"
for word in "$@"; do
  case $word in
  --emulated) PLUMB_GPU_DEVICE=cuda-emulated ;;
  --no-bench) bench=0 ;;
  -*) echo "run.sh: '$word' is not known: expected a build folder, --emulated or --no-bench" >&2; exit 2 ;;
  *) build=$(realpath "$word") ;;
  esac
done
bundled=0
[ -d libexec ] && bundled=1
if [ -z "$build" ]; then if [ $bundled -eq 1 ]; then build=$root; else build=${PLUMB_BUILD:-$root/build}; fi; fi
device=$PLUMB_GPU_DEVICE emulated=0
[ "${device%%:*}" = cuda-emulated ] && emulated=1
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

passed=0 failed=0 skipped=0
pass() { echo "PASS $*"; passed=$((passed + 1)); }
fail() { echo "FAIL $*"; failed=$((failed + 1)); }
skip() { echo "SKIP $*"; skipped=$((skipped + 1)); }
step() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
finish() {
  step "done"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}

# test_program NAME LABEL [VARIABLE=VALUE ...] [-- ARGUMENTS]: a cmocka program; 77 means that it had nothing to run on.
test_program() {
  local path label=$2 code variables=()
  path=$(program "$1")
  shift 2
  while [ $# -gt 0 ] && [ "$1" != -- ]; do variables+=("$1"); shift; done
  [ $# -gt 0 ] && shift
  [ -n "$path" ] && [ -x "$path" ] || { fail "$label: the program was not built"; return; }
  env "${variables[@]}" timeout 900 "$path" "$@" >"$tmp/test.log" 2>&1
  code=$?
  case $code in
  0) pass "$label" ;;
  77) skip "$label: $(grep -m1 SKIP "$tmp/test.log" | sed 's/^SKIP[: ]*//')" ;;
  *) fail "$label (exit code $code)"; grep -vE '^\[ *(RUN|OK|=+|-+) *\]' "$tmp/test.log" | head -12 ;;
  esac
}
programs() { # NAME PATTERN: what there is of them
  if [ $bundled -eq 1 ]; then ls "$build/bin"; else find "$build/tests" -maxdepth 1 -type f -perm -u+x -printf '%f\n'; fi | grep -E "$1" | sort
}

step "device $device"
[ -n "$PLUMB" ] && [ -x "$PLUMB" ] || { fail "plumb is not in $build"; finish; }
probe=$(program device_test_copy)
[ -n "$probe" ] || { fail "the test programs are not in $build"; finish; }
"$probe" --list >"$tmp/probe" 2>&1
code=$?
if [ $code -ne 0 ]; then
  why=$(grep -m1 -E 'SKIP|cuda' "$tmp/probe" | sed 's/^SKIP[: ]*//')
  # Where a driver is and the plug-in was built, a device that does not open is no reason to skip.
  if [ -e /dev/nvidiactl ] && [ -e "${PLUMB_CUDA_PLUGIN:-$build/lib/libplumb_cuda.so}" ]; then fail "device $device: $why"; else skip "all tests on $device: $why"; fi
  finish
fi
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=index,name,driver_version,memory.total --format=csv,noheader
pass "device $device opens"

step "ops against the CPU's results"
if [ $emulated -eq 1 ]; then ops='^device_test_(copy|convert|embed|gather|norm|pool)$'; else ops='^device_test_'; fi
for name in $(programs "$ops"); do
  [ "$name" = device_test_plugin ] || [ "$name" = device_test_vmath ] || test_program "$name" "op test ${name#device_test_}"
done
for name in $(programs '^cuda_test_'); do
  [ $emulated -eq 1 ] || test_program "$name" "backend test ${name#cuda_test_}"
done

step "golden models and the certificate"
test_program model_test_golden "golden models"
if [ $emulated -eq 1 ]; then
  skip "certificate and engine tests on the emulated device: ctest runs them"
else
  test_program model_test_stories "stories260K"
  for product in "" own cublas; do
    test_program engine_test_certificate "certificate, products: ${product:-as chosen}" PLUMB_CUDA_PRODUCT=$product
  done
  for name in $(programs '^engine_test_'); do
    [ "$name" = engine_test_certificate ] || test_program "$name" "engine test ${name#engine_test_}"
  done
fi

step "the main job"
tiny_model "$tmp/gpt2" gpt2
tiny_model "$tmp/llama" llama
cp -r experiments "$tmp/experiments"
sed -i "s#models/tiny-gpt2#$tmp/gpt2#; s#models/tiny-llama#$tmp/llama#" "$tmp/experiments/demo.yaml"
small=(--quiet)
if [ $emulated -eq 1 ]; then
  small+=(items=2 'arms.0.shots=[1]' 'arms.0.draws=1' 'tasks=[tasks/plural.yaml]' 'templates.dev=[]' "models=[$tmp/gpt2]" 'arms.0.readout=loglikelihood')
fi
job_on() { "$PLUMB" run "$tmp/experiments/demo.yaml" "${small[@]}" --device "$1" --results "$tmp/$2" "${@:3}"; }
job() { job_on "$device" "$@"; }
check "run" job a
run=$(run_of "$tmp/a")
check "the run is whole" test -e "$run/DONE" -a -e "$run/stability.csv"
cp -r "$run" "$tmp/first"
rm -f "$(ls "$run"/units/*.h5 | head -1)" "$run/DONE"
check "run again after a loss" job a
check "same bytes: after a resume" same_units "$tmp/first" "$run"
variants=("--batch-tokens 64" "--batch-tokens 4096 --no-sharing")
[ $emulated -eq 1 ] || variants+=("--batch-tokens 33" "--batch-tokens 257 --threads 1")
n=0
for variant in "${variants[@]}"; do
  n=$((n + 1))
  # shellcheck disable=SC2086
  check "run with $variant" job "v$n" $variant
  check "same bytes: $variant" same_units "$run" "$(run_of "$tmp/v$n")"
done
if "$python" -c 'import h5py' 2>/dev/null; then
  check "run on the CPU" job_on cpu cpu
  # float32 on both: log-likelihoods and states agree far inside what a prediction depends on.
  check "log-likelihoods and states as on the CPU" "$python" tests/gpu/same_numbers.py "$run" "$(run_of "$tmp/cpu")"
else
  skip "comparison of the run with the CPU's: $python has no h5py"
fi
computes=(bf16 fp16 tf32) models=(gpt2 llama)
[ $emulated -eq 1 ] && computes=(bf16) models=(gpt2)
for compute in "${computes[@]}"; do
  typed=models=[
  for model in "${models[@]}"; do typed+="{path: $tmp/$model, dtype: $compute},"; done
  typed="${typed%,}]"
  check "run in $compute" job "$compute" "$typed"
  check "run in $compute, other batches" job "$compute-small" "$typed" --batch-tokens 100 --no-sharing
  check "same bytes: $compute" same_units "$(run_of "$tmp/$compute")" "$(run_of "$tmp/$compute-small")"
done

step "compute-sanitizer"
sanitizer=$({ command -v compute-sanitizer; ls "${CUDA_HOME:-/nowhere}/bin/compute-sanitizer" /usr/local/cuda/bin/compute-sanitizer /usr/local/cuda-*/bin/compute-sanitizer; } 2>/dev/null | head -1)
if [ $emulated -eq 1 ]; then
  skip "compute-sanitizer: an emulated device (its own checks and the sanitizers of the compiler run in tests/run.sh)"
elif [ -z "$sanitizer" ]; then
  skip "compute-sanitizer is not installed"
else
  # The cases that touch shared memory and odd edges; the products' and attention's own programs are the slow ones.
  for tool in memcheck racecheck initcheck synccheck; do
    for name in attention linear score norm kv pool; do
      if timeout 240 "$sanitizer" --tool $tool --target-processes all --error-exitcode 99 "$(program device_test_$name)" >"$tmp/sanitizer.log" 2>&1; then
        pass "$tool: $name"
      else
        code=$?
        if [ $code -eq 124 ]; then skip "$tool: $name takes more than 4 minutes"; else fail "$tool: $name (exit code $code)"; grep -m5 '^========= ' "$tmp/sanitizer.log"; fi
      fi
    done
  done
fi

step "benchmarks"
if [ $bench -eq 0 ]; then
  skip "benchmarks: --no-bench"
elif [ -z "$(program bench-engine)" ] || [ -z "$(program bench-context)" ]; then
  skip "benchmarks: not in $build (cmake --build $build --target bench-engine bench-context)"
else
  out=$build/gpu-inference.md words=()
  [ $emulated -eq 1 ] && { words=(--small); out=$tmp/gpu-inference.md; }
  if [ $emulated -eq 0 ]; then
    for name in $(programs '^device_test_(attention|linear|score|norm|convert|gather|embed|kv)$'); do "$(program "$name")" --time; done 2>/dev/null |
      grep -P '\t' >"$build/gpu-ops.tsv" && pass "times of the ops: $build/gpu-ops.tsv"
  fi
  if [ $bundled -eq 1 ]; then where=.; else where=$build; fi
  "$python" tests/bench/gpu_inference.py "$where" --device "$device" "${words[@]}" >"$out" 2>"$tmp/bench.err"
  code=$?
  case $code in
  0) pass "benchmarks: $out" ;;
  77) skip "benchmarks: $(sed 's/^SKIP benchmarks: //' "$out")" ;;
  *) fail "benchmarks (exit code $code): $out"; tail -3 "$tmp/bench.err" ;;
  esac
  # What was not measured is not a pass.
  while read -r line; do skip "not measured: ${line#- }"; done < <(sed -n '/^Not measured:/,/^$/{/^- /p}' "$out")
  [ $emulated -eq 1 ] || cat "$out"
fi
finish
