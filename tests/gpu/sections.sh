#!/usr/bin/env bash
# The sections of run.sh, which sources this file: a function each.
# shellcheck disable=SC2154 # what run.sh sets

# The device opens, or nothing else runs.
device_opens() {
  local probe code why
  [ -n "$PLUMB" ] && [ -x "$PLUMB" ] || { fail "plumb is not in $build"; return 1; }
  probe=$(program device_test_copy)
  [ -n "$probe" ] && [ -x "$probe" ] || { fail "the test programs are not in $build"; return 1; }
  timeout -k 5 60 "$probe" --list >"$tmp/probe" 2>&1
  code=$?
  if [ $code -ne 0 ]; then
    why=$(grep -m1 -E 'SKIP|cuda' "$tmp/probe" | sed 's/^SKIP[: ]*//')
    [ $code -ne 124 ] || why="it has not opened after 60 s"
    # Where a driver is and the plug-in was built, a device that does not open is no reason to skip.
    if [ -e /dev/nvidiactl ] && [ -e "${PLUMB_CUDA_PLUGIN:-$build/lib/libplumb_cuda.so}" ]; then
      fail "device $device: $why"
      # Which libraries the loader took and which it did not find.
      LD_DEBUG=libs timeout 60 "$probe" --list 2>&1 | grep -iE 'cuda|nvidia|error' | head -20
    else
      skip "all tests on $device: $why"
    fi
    return 1
  fi
  pass "device $device opens"
}

# ---- smoke: what there is, and who makes the products ----
small_job=(--quiet items=2 'arms.0.shots=[1]' 'arms.0.draws=1' 'tasks=[../../experiments/tasks/plural.yaml]' 'templates.dev=[]' 'arms.0.readout=loglikelihood')

# The main job on tiny models in $tmp; made once.
make_job() {
  [ -e "$tmp/llama" ] && return
  tiny_model "$tmp/gpt2" gpt2
  tiny_model "$tmp/llama" llama
}
job_on() { limited "$PLUMB" run tests/program/random.yaml "models=[$tmp/gpt2,$tmp/llama]" "${small[@]}" --device "$1" --results "$tmp/$2" "${@:3}"; }
job() { job_on "$device" "$@"; }

section_smoke() {
  local small=("${small_job[@]}") dtype dtypes=(float32 bf16)
  [ $emulated -eq 1 ] && dtypes=(bf16)
  {
    date -u '+%Y-%m-%d %H:%M UTC'
    "$PLUMB" --version
    uname -sr
    command -v nvidia-smi >/dev/null && limited nvidia-smi --query-gpu=index,name,driver_version,memory.total,compute_cap --format=csv,noheader
    "$python" -c 'import torch; print("torch", torch.__version__)' 2>/dev/null
  } >"$output/machine.txt" 2>&1
  cat "$output/machine.txt"
  make_job
  for dtype in "${dtypes[@]}"; do
    check "a small run in $dtype" job "smoke-$dtype" "models=[{path: $tmp/gpt2, dtype: $dtype}]"
    [ -e "$tmp/smoke-$dtype" ] && grep -rhaoE '"numerics_key": *"[^"]*"' "$tmp/smoke-$dtype" | sort -u | sed "s/^/$dtype: /" | tee -a "$output/machine.txt"
  done
}

# ---- ops: against the CPU's results, the riskiest first ----
section_ops() {
  local name ops first='attention linear score norm head_norm kv'
  if [ $emulated -eq 1 ]; then first='norm' ops='^device_test_(copy|convert|embed|gather|norm|pool)$'; else ops='^device_test_'; fi
  for name in $first; do test_program "device_test_$name" "op test $name"; done
  for name in $(programs '^cuda_test_'); do
    [ $emulated -eq 1 ] || test_program "$name" "backend test ${name#cuda_test_}"
  done
  [ -n "$(programs "$ops")" ] || fail "op tests: there are none in $build"
  for name in $(programs "$ops"); do
    case " $first plugin vmath " in *" ${name#device_test_} "*) continue ;; esac
    test_program "$name" "op test ${name#device_test_}"
  done
}

# ---- certificate: batch sizes change no bits, values are those of golden models ----
section_certificate() {
  local product name
  if [ $emulated -eq 1 ]; then
    skip "certificate and engine tests on the emulated device: ctest runs them"
  else
    for product in "" own cublas; do
      test_program engine_test_certificate "certificate, products: ${product:-as chosen}" PLUMB_CUDA_PRODUCT=$product
    done
  fi
  test_program model_test_golden "golden models"
  [ $emulated -eq 1 ] && return
  test_program model_test_stories "stories260K"
  for name in $(programs '^engine_test_'); do
    [ "$name" = engine_test_certificate ] || test_program "$name" "engine test ${name#engine_test_}"
  done
}

# How a table of benchmarks ended: LABEL CODE SINCE FILE.
benchmarks_end() {
  case $2 in
  0) pass "$1: $4" ;;
  77) skip "$1: $(sed 's/^SKIP benchmarks: //' "$4")" ;;
  124 | 137) skip "$1: stopped after $((SECONDS - $3)) s; the rows before that are in $4" ;;
  *) fail "$1 (exit code $2): $4"; tail -3 "$tmp/bench.err" ;;
  esac
  # What was not measured is not a pass.
  while read -r line; do skip "not measured: ${line#- }"; done < <(sed -n '/^Not measured:/,/^$/{/^- /p}' "$4")
  [ $emulated -eq 1 ] || cat "$4"
}

# ---- benchmarks: times of the ops, then beside PyTorch ----
section_benchmarks() {
  local name out=$output/gpu-inference.md words=(--headline) code where=$build since
  if [ -z "$(program bench-engine)" ] || [ -z "$(program bench-context)" ]; then
    skip "benchmarks: not in $build (cmake --build $build --target bench-engine bench-context)"
    return
  fi
  [ $emulated -eq 1 ] && words=(--small)
  [ $bundled -eq 1 ] && where=.
  if [ $emulated -eq 0 ]; then
    : >"$output/gpu-ops.tsv"
    for name in attention linear score norm convert gather embed kv attention_backward linear_backward score_backward norm_backward adamw repulsion map_step; do
      limited timeout 10 "$(program device_test_$name)" --time 2>/dev/null | grep --line-buffered -P '\t' >>"$output/gpu-ops.tsv"
    done
    if [ -s "$output/gpu-ops.tsv" ]; then pass "times of the ops: $output/gpu-ops.tsv"; else fail "the ops have no times"; fi
  fi
  if late; then skip "benchmarks: no time left"; return; fi
  since=$SECONDS
  limited "$python" tests/bench/gpu_inference.py "$where" --device "$device" "${words[@]}" \
    --minutes "$(awk "BEGIN {print 0.8 * $(left) / 60}")" >"$out" 2>"$tmp/bench.err"
  code=$?
  benchmarks_end benchmarks "$code" "$since" "$out"
}

# ---- job: the main job end to end, the same bytes however it is cut ----
same_run() { # LABEL A B: compared where both were made
  if [ -e "$2/DONE" ] && [ -e "$3/DONE" ]; then check "same bytes: $1" same_units "$2" "$3"; else skip "same bytes: $1: a run is missing"; fi
}
made() { run_of "$tmp/$1" 2>/dev/null; }
section_job() {
  local small=(--quiet) run variant variants n=0 compute computes=(bf16 fp16 tf32) models=(gpt2 llama) model typed
  [ $emulated -eq 1 ] && { small=("${small_job[@]}" "models=[$tmp/gpt2]"); computes=(bf16) models=(gpt2); }
  make_job
  check "run" job a
  run=$(made a)
  [ -n "$run" ] && [ -e "$run/DONE" ] || { skip "the main job: there is no whole run to compare with"; return; }
  check "the run is whole" test -e "$run/stability.csv"
  cp -r "$run" "$tmp/first"
  rm -f "$(ls "$run"/units/*.h5 | head -1)" "$run/DONE"
  check "run again after a loss" job a
  same_run "after a resume" "$tmp/first" "$run"
  run=$tmp/first
  if ! "$python" -c 'import h5py' 2>/dev/null; then
    skip "comparison of the run with the CPU's: $python has no h5py"
  else
    check "run on the CPU" job_on cpu cpu
    # float32 on both: log-likelihoods and states agree far inside what a prediction depends on.
    if [ -e "$(made cpu)/DONE" ]; then
      check "log-likelihoods and states as on the CPU" limited "$python" tests/gpu/same_numbers.py "$run" "$(made cpu)"
    fi
  fi
  variants=("--batch-tokens 64" "--batch-tokens 4096 --no-sharing")
  [ $emulated -eq 1 ] || variants+=("--batch-tokens 33" "--batch-tokens 257 --threads 1")
  for variant in "${variants[@]}"; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    check "run with $variant" job "v$n" $variant
    same_run "$variant" "$run" "$(made "v$n")"
  done
  for compute in "${computes[@]}"; do
    typed=models=[
    for model in "${models[@]}"; do typed+="{path: $tmp/$model, dtype: $compute},"; done
    typed="${typed%,}]"
    check "run in $compute" job "$compute" "$typed"
    check "run in $compute, other batches" job "$compute-small" "$typed" --batch-tokens 100 --no-sharing
    same_run "$compute" "$(made "$compute")" "$(made "$compute-small")"
  done
}

# ---- training: gradients and steps against PyTorch's, then speed beside PyTorch and HF Trainer ----
section_training() {
  local words=(--headline) code where=$build since out=$output/gpu-training.md
  test_program train_test_gradients "gradients of golden models"
  if [ $emulated -eq 0 ]; then
    test_program train_test_steps "twenty steps of golden models"
    test_program train_test_smollm2 "three steps of SmolLM2's layers"
  fi
  [ -n "$(program bench-train)" ] || { skip "training benchmarks: bench-train is not in $build"; return; }
  [ $bench -eq 1 ] || { skip "training benchmarks: --no-bench"; return; }
  [ $emulated -eq 1 ] && words=(--small --only long)
  [ $bundled -eq 1 ] && where=.
  if late; then skip "training benchmarks: no time left"; return; fi
  since=$SECONDS
  limited "$python" tests/bench/gpu_training.py "$where" --device "$device" "${words[@]}" \
    --minutes "$(awk "BEGIN {print 0.9 * $(left) / 60}")" >"$out" 2>"$tmp/bench.err"
  code=$?
  benchmarks_end "training benchmarks" "$code" "$since" "$out"
}

# ---- maps: t-SNE with every pair, then its speed beside TorchDR ----
section_maps() {
  local words=() code where=$build since out=$output/gpu-maps.md
  test_program measure_test_similarity_device "similarities have the CPU's bits"
  test_program tsne_test_tsne "maps against openTSNE's and scikit-learn's"
  [ -n "$(program bench-map)" ] || { skip "benchmark of maps: bench-map is not in $build"; return; }
  [ $bench -eq 1 ] || { skip "benchmark of maps: --no-bench"; return; }
  "$python" -c 'import numpy' 2>/dev/null || { skip "benchmark of maps: $python has no numpy"; return; }
  [ $emulated -eq 1 ] && words=(--small)
  [ $bundled -eq 1 ] && where=.
  if late; then skip "benchmark of maps: no time left"; return; fi
  since=$SECONDS
  limited "$python" tests/bench/gpu_maps.py "$where" --device "$device" "${words[@]}" \
    --minutes "$(awk "BEGIN {print 0.9 * $(left) / 60}")" >"$out" 2>"$tmp/bench.err"
  code=$?
  benchmarks_end "benchmark of maps" "$code" "$since" "$out"
}

# ---- sanitizer: one case each of the kernels with the most shared memory ----
sanitized() { # TOOL NAME CASES
  local code since=$SECONDS
  if late; then skip "$1: $2: no time left"; return; fi
  PLUMB_CUDA_PRODUCT=own limited "$sanitizer" --tool "$1" --target-processes all --error-exitcode 99 "$(program "device_test_$2")" --only "$3" >"$tmp/sanitizer.log" 2>&1
  code=$?
  if [ $code -eq 124 ] || [ $code -eq 137 ]; then skip "$1: $2: stopped after $((SECONDS - since)) s, no time left"
  elif grep -qiE 'device not supported|not supported on|no attachable process|terminated before first instrumented|unable to (launch|attach)|failed to (initialize|inject)|insufficient permission' "$tmp/sanitizer.log"; then
    skip "$1: $2: $(grep -m1 -iE 'not supported|attach|terminated|unable|failed to|permission' "$tmp/sanitizer.log" | sed 's/^=* *//')"
  elif [ $code -eq 0 ]; then pass "$1: $2"
  else fail "$1: $2 (exit code $code)"; grep -m5 '^========= ' "$tmp/sanitizer.log"; fi
}
section_sanitizer() {
  local sanitizer tool
  sanitizer=$({ command -v compute-sanitizer; ls "${CUDA_HOME:-/nowhere}/bin/compute-sanitizer" /usr/local/cuda/bin/compute-sanitizer /usr/local/cuda-*/bin/compute-sanitizer; } 2>/dev/null | head -1)
  if [ $emulated -eq 1 ]; then
    skip "compute-sanitizer: an emulated device (its own checks and the sanitizers of the compiler run in tests/run.sh)"
  elif [ -z "$sanitizer" ]; then
    skip "compute-sanitizer is not installed"
  else
    for tool in memcheck racecheck; do
      sanitized $tool attention "bfloat16	H 4, G 4, D 64"
      sanitized $tool linear "bfloat16	[65, 33] -> 66"
    done
  fi
}
