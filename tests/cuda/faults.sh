#!/usr/bin/env bash
# The suite can fail: faults planted in copies of the real kernels, one a time, must turn the test that is named red.
#
#   tests/cuda/faults.sh BUILD [N]     N: the first N faults of each op alone
#
# BUILD is a build tree with the emulated CUDA backend and the op tests. A fault is a sed expression on one file of
# cuda/; the changed copy of the source is compiled (without optimisation: it is run once) as the build tree compiles it
# and linked with the other objects. An expression that changes nothing is a failure, and so is a test that is red
# without a fault. A fault that threads in turn may not see has seeds (tests/cuemu/schedule.h): some must turn it red.
# Products are plumb's own; "chosen" at the end of a line: as the probe of cuBLASLt's stand-in chooses.
# Prints a line PASS or FAIL a fault.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "${1:?usage: tests/cuda/faults.sh BUILD [N]}" && pwd)
most=${2:-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export build work

# name | changed file | expression | compiled source | test | cases | seeds | products
faults() { awk -F: -v most="$most" '++n[$1] <= most' <<'EOF'
adamw: the weight's rows do not follow|adamw.cu|s,if (t.copy) copy,if (false) copy,|adamw.cu|device_test_adamw|bfloat16
adamw: a missing barrier|adamw.cu|s,^ *__syncthreads(); /\* the block's numbers.*,,|adamw.cu|device_test_adamw|float32|1 2 3
attention: a missing barrier|attention_mma.cuh|s,^ *__syncthreads(); /\* page i is there.*,,|attention.cu|device_test_attention|bfloat16
attention: the next page is asked for too early|attention_mma.cuh|/page i is there/d;s,^ *bring_next<.*stages - 1);,&__syncthreads();,|attention.cu|device_test_attention|bfloat16|1 2 3
attention: a missing wait for copies|attention_mma.cuh|s,^ *cp_async_wait<.*,,|attention.cu|device_test_attention|bfloat16
attention: the causal mask is one key late|attention.cuh|s,return key <= position,return key <= position + 1,|attention.cu|device_test_attention|float32
attention: the window is one key wide of it|attention.cuh|s,position - key < window;,position - key <= window;,|attention.cu|device_test_attention|float32
attention: the wrong key/value head|attention_mma.cuh|s,(size_t)blockIdx.y \* PAGE_ROWS,(size_t)(gridDim.y - 1 - blockIdx.y) * PAGE_ROWS,|attention.cu|device_test_attention|float16
attention: scores are not scaled|attention_simt.cuh|s,q\[d\] \* p.scale,q[d],|attention.cu|device_test_attention|float32
attention: old sums are not scaled to a new maximum|attention_simt.cuh|s/w.sum\[q\] = __fmul_rn(w.sum\[q\], scale);//|attention.cu|device_test_attention|float32
attention: dropout draws for other keys|attention_mma.cuh|s,start + 8 \* n + quarter / 2 \* 4,start + 8 * n + quarter * 4,|attention.cu|device_test_attention_backward|bfloat16
attention: dropout's words are not exchanged|attention_simt.cuh|s,word = transpose_words<1>(word);,,|attention.cu|device_test_attention_backward|float32
attention_backward: a missing barrier|attention_backward_mma.cuh|s,^ *__syncthreads(); /\* the block is there.*,,|attention_backward.cu|device_test_attention_backward|bfloat16
attention_backward: the next block is asked for too early|attention_backward_mma.cuh|/the block is there/d;s,^ *ask(next\, stage ^ 1);,&__syncthreads();,|attention_backward.cu|device_test_attention_backward|bfloat16|1 2 3
attention_backward: a missing wait for copies|attention_backward_mma.cuh|s,^ *cp_async_wait<0>();,,|attention_backward.cu|device_test_attention_backward|float16
attention_backward: facts of the block before|attention_backward_mma.cuh|s,write_fact(fact\, stage ^ 1),write_fact(fact\, stage),|attention_backward.cu|device_test_attention_backward|bfloat16
attention_backward: the last queries of a window are left out|attention_backward.cuh|s,last_key + p.window : tile.n,last_key + p.window - 32 : tile.n,|attention_backward.cu|device_test_attention_backward|float16
attention_backward: the wrong key/value head|attention_backward_mma.cuh|s,key_row<T>(p\, r\, kv_head),key_row<T>(p\, r\, 0),|attention_backward.cu|device_test_attention_backward|bfloat16
attention_backward: dk of one query head alone|attention_backward_mma.cuh|s,first_head + p.group : first_head + 1,first_head + 1 : first_head + 1,|attention_backward.cu|device_test_attention_backward|bfloat16
attention_backward: a missing barrier on ordinary cores|attention_backward_simt.cuh|s,^ *__syncthreads(); /\* nobody reads.*,,|attention_backward.cu|device_test_attention_backward|float32|1 2 3
attention_backward: sequences one after another are one tile late|attention_backward.cuh|s,if (lane >= step) end,if (lane > step) end,|attention_backward.cu|device_test_attention_backward|float32
attention_backward: rowsums lack the last piece|attention_backward.cuh|s,is_row \&\& d < p.width; d,is_row \&\& d + PIECE < p.width; d,|attention_backward.cu|device_test_attention_backward|float32
norm: the last elements are left out|norm.cuh|s,i < n; i += PL__NORM_OWN,i < n - 1; i += PL__NORM_OWN,|norm.cu|device_test_norm|float32
norm: a missing barrier|norm.cuh|s,^ *__syncthreads();,,|norm.cu|device_test_norm|float32
dropout: a round of Philox too few|dropout.cuh|s,round < 10,round < 9,|dropout.cu|device_test_dropout|float32
embed_backward: the last of eight rows is left out|embed_backward.cu|s,a < AHEAD; a++) add,a < AHEAD - 1; a++) add,|embed_backward.cu|device_test_embed_backward|
gate_backward: the gradient of up takes no gate|gate_backward.cu|s,gate\[i\] = __fmul_rn(d\[i\]\, gate\[i\]),gate[i] = d[i],|gate_backward.cu|device_test_gate_backward|float32
norm: the gain is lost|norm.cuh|s,__fmul_rn(out\[j\]\, of.gain),out[j],|norm.cu|device_test_norm|float32
head_norm: weights of the first head|head_norm.cu|s,of.weight += head \* own,of.weight += 0,|head_norm.cu|device_test_head_norm|float32
norm_backward: a gradient without the gain|norm.cuh|s,__fmul_rn(g\[j\]\, of.gain),g[j],|norm_backward.cu|device_test_norm_backward|float32
norm_backward: a missing barrier between warps|norm_backward.cu|s,^ *__syncthreads(); /\* warp w.*,,|norm_backward.cu|device_test_norm_backward|float32|1 2 3
norm_backward: a missing barrier in the sum of groups|partial.cuh|s,^ *__syncthreads(); /\* all have added.*,,|norm_backward.cu|device_test_norm_backward|float32|1 2 3
norm_backward: rows past the count|norm_backward.cu|s,= min(first + GROUP_ROWS\, rows),= first + GROUP_ROWS,|norm_backward.cu|device_test_norm_backward|float32
gather: rows past the count|gather.cu|s,pl__rows(count\, capacity),capacity,|gather.cu|device_test_gather|float32
gather_backward: what stood there is forgotten|gather_backward.cu|s,__fadd_rn(to\[j\]\, from\[j\]),from[j],|gather_backward.cu|device_test_gather_backward|float32
gradient_norm: a piece of each chunk is left out|gradient_norm.cu|s,(s\[2\] + s\[3\]),s[2],|gradient_norm.cu|device_test_gradient_norm|
head_norm_backward: a wide head's sums begin anew|head_norm_backward.cu|s,item ? to\[i + j\] : 0.0f,0.0f,|head_norm_backward.cu|device_test_head_norm_backward|float32
head_norm_backward: the second head's weights are the first one's|head_norm_backward.cu|s,weight.offset += weight.stride;,,|head_norm_backward.cu|device_test_head_norm_backward|float32
head_norm_backward: a missing barrier between warps|head_norm_backward.cu|s,^ *__syncthreads(); /\* warp w.*,,|head_norm_backward.cu|device_test_head_norm_backward|float32|1 2 3
kv: the place of the next position|kv.cu|s,+ position % PL_PAGE,+ (position + 1) % PL_PAGE,|kv.cu|device_test_attention|float32
kv: a copied page lacks its end|kv.cu|s,if (w < piece_words) to,if (w + 1 < piece_words) to,|kv.cu|device_test_kv|float32
linear: a missing barrier|gemm.cuh|s,^ *__syncthreads(); /\* stage s has come.*,,|gemm.cu|device_test_linear|bfloat16
linear: the next stage is asked for too early|gemm.cuh|/stage s has come/d;s,^ *read_stage16<T\, S\, F>(p\, shared + out.*;,&__syncthreads();,|gemm.cu|device_test_linear|bfloat16|1 2 3
linear: a missing wait for copies|gemm.cuh|s,^ *cp_async_wait<S::STAGES - 2>();,,|gemm.cu|device_test_linear|float16
linear: what stood there is forgotten|gemm.cuh|s,v\[i\] = old\[s\]\[i\] +,v[i] =,|gemm.cu|device_test_linear|float32
linear_backward: a missing barrier|linear_backward.cu|s,^ *__syncthreads();,,|linear_backward.cu|device_test_linear_backward|float32
linear_backward: parts of a sum lie on one another|gemm.cuh|s,(size_t)blockIdx.y \* p.part_stride,0 * p.part_stride,|gemm.cu|device_test_linear_backward|float32
linear_backward: the next stage is asked for too early|gemm.cuh|/stage s has come/d;s,^ *read_stage16<T\, S\, F>(p\, shared + out.*;,&__syncthreads();,|gemm.cu|device_test_linear_backward|bfloat16|1 2 3
linear_backward: the wrong eight columns|gemm.cuh|s,row / 8 + lane / 8 % 2,row / 8 + lane / 16,|gemm.cu|device_test_linear_backward|float16
linear_backward: a column is summed past the count|linear_backward.cu|s,pl__rows(s.count\, s.capacity),s.capacity,|linear_backward.cu|device_test_linear_backward|gelu
reduce_lanes: the last lane is dropped|reduce_lanes.cu|s,lane < n_lanes,lane < n_lanes - 1,|reduce_lanes.cu|device_test_reduce_lanes|
pairwise: a missing barrier before the features are replaced|pairwise.cu|s,^ *__syncthreads(); /\* the features before.*,,|pairwise.cu|device_test_pairwise||1 2 3
pairwise: the mean of another feature|pairwise.cu|s,first + row : from + d\],first + row : d],|pairwise.cu|device_test_pairwise|
pairwise: features past the end|pairwise.cu|s,min(DEPTH\, width - from),width - from < DEPTH ? width - from - 1 : DEPTH,|pairwise.cu|device_test_pairwise|
pairwise: the mean of another column|pairwise.cu|s,COLUMNS ? first + row : from + d\],COLUMNS ? row : from + d],|pairwise.cu|device_test_pairwise|
pairwise: the mean of the first set|pairwise.cu|s,mean += set \* mean_stride,mean += 0 * mean_stride,|pairwise.cu|device_test_pairwise|
logistic: a missing barrier before the product is read|logistic.cu|s,^ *__syncthreads(); /\* the product is there.*,,|logistic.cu|device_test_logistic||1 2 3
logistic: a missing barrier behind the weights|logistic.cu|s,^ *__syncthreads(); /\* the rows' products.*,,|logistic.cu|device_test_logistic||1 2 3
logistic: noise is solved for|logistic.cu|s,if (is_flat(s)) return 0.0;,,|logistic.cu|device_test_logistic|
logistic: the intercept is penalised|logistic.cu|s,d + 1 < s.width ? v\[at\] : held,v[at],|logistic.cu|device_test_logistic|
logistic: the labels of another problem|logistic.cu|s,t.labels + facts\[,t.labels + t.facts[,|logistic.cu|device_test_logistic|
repulsion: a missing barrier before others are read|repulsion.cu|s,^ *__syncthreads(); /\* the others are there.*,,|repulsion.cu|device_test_repulsion||1 2 3
repulsion: a missing barrier before others are replaced|repulsion.cu|s,^ *__syncthreads(); /\* nobody reads the others.*,,|repulsion.cu|device_test_repulsion||1 2 3
repulsion: each point with itself|repulsion.cu|s,q = 0.0f;,;,|repulsion.cu|device_test_repulsion|
repulsion: the last share is left out|repulsion.cu|s,s < shares; s++,s < shares - 1; s++,|repulsion.cu|device_test_repulsion|
repulsion: points of the tile before are not their own|repulsion.cu|s,self + k \* THREADS,self + k,|repulsion.cu|device_test_repulsion|
map_step: a missing barrier before sums are added|map_step.cu|s,^ *__syncthreads(); /\* every warp.*,,|map_step.cu|device_test_map_step||1 2 3
map_step: points move while others pull|map_step.cu|s,s.moved\[2 \* i\] =,s.y[2 * i] = s.moved[2 * i] =,|map_step.cu|device_test_map_step|
map_step: the gain of another sign|map_step.cu|s,sign_of(gradient) == sign_of(update),sign_of(gradient) != sign_of(update),|map_step.cu|device_test_map_step|
map_step: a row's last neighbours are left out|map_step.cu|s,at < last; at,at < last - PL__WARP; at,|map_step.cu|device_test_map_step|
map_step: steps have no longest|map_step.cu|s,length > MOST_STEP,length > 1e9f,|map_step.cu|device_test_map_step|
rotary_backward: turned as in the forward pass|rotary_backward.cu|s,-1.0f,1.0f,|rotary_backward.cu|device_test_rotary_backward|float32
rotary: turned the other way|rotary.cu|s,__fsub_rn(__fmul_rn(x,__fadd_rn(__fmul_rn(x,|rotary.cu|device_test_rotary|float32
score: a missing barrier|score.cuh|s,^ *__syncthreads();,,|score.cu|device_test_score|float32
score: the highest id among equals|score.cuh|s,b.id < a.id,b.id > a.id,|score.cu|device_test_score|
score_backward: gradients are written over logits that are not read yet|score_backward.cu|s,^ *__syncthreads();$,,|score_backward.cu|device_test_score_backward|bfloat16|1 2 3
zero_tail: the tail's first row is left|zero_tail.cu|s,row < \*count,row <= *count,|zero_tail.cu|device_test_zero_tail|
products: a gradient's operand is not transposed|blas.c|s,^ *y.op = CUBLAS_OP_T;,,|blas.c|cuda/cuda_test_product|
products: what stood there is forgotten|blas.c|s,pl__mode_adds(p->call.mode) ?,p->call.mode == PL__ADD ?,|blas.c|cuda/cuda_test_product|
products: the last part of a sum is left out|blas.c|s,return 2;,return 1;,|blas.c|cuda/cuda_test_product|
products: gradients are compared with themselves|probe.c|s,p->result.data\, p->reference.data\,,p->result.data\, p->result.data\,,|probe.c|cuda/cuda_test_product|
products: a library that refuses to run is an error|probe.c|s,status != PL_OK \&\& status != PL_E_UNSUPPORTED,status != PL_OK,|probe.c|cuda/cuda_test_product|
products: only the first proposal is tried|probe.c|s,next = plan->proposal + 1,next = 16,|probe.c|cuda/cuda_test_product|
products: the wrong mode for a dx that is added to|product.c|s,accumulate ? PL__INPUT_ADD : PL__INPUT,PL__INPUT,|product.c|device_test_linear_backward|float32||chosen
products: the last part of a gradient is not merged|product.c|s,parts\, cut.parts\, dx,parts\, cut.parts - 1\, dx,|product.c|device_test_linear_backward|-> 900||chosen
comm: a slice stands where another rank's belongs|comm.c|s,pl__at(m->to\, (size_t)r)\, bytes,pl__at(m->to\, (size_t)(c->size - 1 - r))\, bytes,|comm.c|device_test_comm|
comm: NCCL is called before it is ready|comm.c|s,PL_TRY(settle(c\, COME_S\, "starting"));,,|comm.c|device_test_comm|
comm: an end leaves NCCL waiting|comm.c|s,(void)c->nccl.ncclCommAbort(c->handle);,,|comm.c|device_test_comm|
EOF
}

# The build tree's command for a source, for its changed copy: $1 source, $2 folder of the copy, $3 object.
compile() {
  python3 - "$@" <<'EOF'
import json, os, shlex, subprocess, sys
source, folder, target = sys.argv[1:]
path = os.path.join(os.getcwd(), "cuda", source)
for entry in json.load(open(os.environ["build"] + "/compile_commands.json")):
    if os.path.realpath(entry["file"]) == os.path.realpath(path) and "PL_CUDA_EMULATED" in entry["command"]:
        words = shlex.split(entry["command"])
        words[words.index("-o") + 1] = target
        words[words.index("-c") + 1] = os.path.join(folder, source)
        words = [w for w in words if not w.startswith("-O") and w not in ("-g", "-Werror")] + ["-O0", "-w"]
        sys.exit(subprocess.call(words, cwd=entry["directory"]))
sys.exit("%s is not in %s" % (source, os.environ["build"]))
EOF
}
export -f compile

# $1 plug-in, $2 object that takes the place of the build tree's (or none).
link() {
  local objects
  # Of sources that are there: a build tree keeps the objects of files that have gone.
  objects=$(find "$build/tests/CMakeFiles/plumb_cuda_emulated.dir" "$build/tests/cuemu/CMakeFiles/cuemu.dir" -name '*.o' |
    while read -r object; do name=$(basename "$object" .o); [ -e "cuda/$name" ] || [ -e "tests/cuemu/$name" ] && echo "$object"; done)
  [ -z "${2:-}" ] || objects="$(grep -v "/$(basename "$2")\$" <<<"$objects") $2"
  # shellcheck disable=SC2086
  "${CXX:-c++}" -shared -Wl,-z,defs -o "$1" $objects -ldl -lpthread
}
export -f link

# $1 plug-in, $2 test, $3 cases, $4 seed, $5 products
run() {
  local some=() product=own
  [ -z "$3" ] || some=(--only "$3")
  [ "${5:-}" != chosen ] || product=
  CUEMU_SEED=${4:-0} PLUMB_CUDA_PRODUCT=$product PLUMB_TEST_DEVICE=cuda-emulated PLUMB_CUDA_PLUGIN=$1 timeout 300 "$build/tests/$2" "${some[@]}"
}
export -f run

check() {
  local name file expression source test cases seeds products folder seed code=0
  IFS='|' read -r name file expression source test cases seeds products <<<"$1"
  folder=$(mktemp -d "$work/fault.XXXXXX")
  cp cuda/*.[ch] cuda/*.cuh cuda/*.cu "$folder"
  sed -i "$expression" "$folder/$file"
  if cmp -s "cuda/$file" "$folder/$file"; then echo "FAIL: $name: '$expression' changes nothing in cuda/$file"; return; fi
  if ! compile "$source" "$folder" "$folder/$source.o" >"$folder/log" 2>&1 || ! link "$folder/plugin.so" "$folder/$source.o" >>"$folder/log" 2>&1; then
    echo "FAIL: $name: does not compile: $(grep -m1 -E 'error|undefined' "$folder/log")"
    return
  fi
  for seed in ${seeds:-0}; do
    run "$folder/plugin.so" "$test" "$cases" "$seed" "$products" >"$folder/log" 2>&1
    code=$?
    [ $code -eq 0 ] || break
  done
  if [ $code -eq 0 ] || [ $code -eq 77 ]; then
    echo "FAIL: $name: $test is green"
  elif [ $code -eq 124 ]; then
    echo "FAIL: $name: $test took more than five minutes"
  else
    local said
    said=$(grep -aE -m1 '^ERROR: .|cuemu|off by|differ| != ' "$folder/log" | head -c 160)
    echo "PASS: $name: $test${seeds:+, seed $seed,} says: ${said:-nothing, it ended with $code}"
  fi
}
export -f check

# Without a fault, linked in the same way, the same cases are green.
link "$work/sound.so" || { echo "FAIL: the objects of $build do not link"; exit 1; }
export sound=$work/sound.so
control() {
  local test cases seeds products seed
  IFS='|' read -r test cases seeds products <<<"$1"
  for seed in ${seeds:-0}; do
    run "$sound" "$test" "$cases" "$seed" "$products" >/dev/null 2>&1 || echo "FAIL: without a fault: $test, cases: $cases, seed $seed, is red"
  done
}
export -f control
faults | cut -d'|' -f5- | sort -u | xargs -d '\n' -P2 -n1 bash -c 'control "$1"' _ | tee "$work/out"
faults | xargs -d '\n' -P2 -n1 bash -c 'check "$1"' _ | tee -a "$work/out"
! grep -q '^FAIL' "$work/out" && [ "$(grep -c '^PASS' "$work/out")" -eq "$(faults | wc -l)" ]
