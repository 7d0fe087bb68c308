#!/usr/bin/env bash
# The tests of the training ops can fail: faults planted in copies of the CPU's ops, one a time, must turn the test that
# is named red.
#
#   tests/device/faults.sh BUILD
#
# BUILD is a build tree without sanitizer. A fault is a sed expression on one file of host/device/cpu; the changed copy is
# compiled as the portable variant (PLUMB_CPU=portable) and linked before the build tree's libraries. An expression that
# changes nothing is a failure, and so is a test that is red without a fault.
# Prints a line PASS or FAIL a fault.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "${1:?usage: tests/device/faults.sh BUILD}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
libraries=$(pkg-config --libs cmocka jansson yaml-0.1 libxxhash openssl)
export build work libraries PLUMB_CPU=portable

# name | changed file | expression | compiled source | test
faults() {
  cat <<'EOF'
adamw: the second moment is not corrected|adamw.c|s,(float)sqrt(.*\[PL_FACTOR_SECOND\]),1.0f,|adamw.c|adamw
adamw: the first moment is not corrected|adamw.c|s,rate / (double)factors\[PL_FACTOR_FIRST\],rate,|adamw.c|adamw
adamw: a norm decays|adamw.c|s,t->decay ?,true ?,|adamw.c|adamw
adamw: the decay is not times the rate|adamw.c|s,(float)(rate \* args->weight_decay),(float)args->weight_decay,|adamw.c|adamw
adamw: the decay goes through the moments|adamw.c|s,float d = g\[i\] \* clip,float d = g[i] * clip + decay * w[i],|adamw.c|adamw
adamw: 1 - beta2 of a float|adamw.c|s,(float)(1.0 - args->beta2),1.0f - (float)args->beta2,|adamw.c|adamw
adamw: eps under the root|adamw.c|s,sqrtf(square) / root + eps,sqrtf(square / (root * root) + eps),|adamw.c|adamw
adamw: the gradient is not clipped|adamw.c|s,g\[i\] \* clip,g[i],|adamw.c|adamw
adamw: the gradient stays|adamw.c|s,g\[i\] = 0.0f;,,|adamw.c|adamw
adamw: a step of what is not finite|adamw.c|s,if (!finite),if (false),|adamw.c|adamw
parameters: the last chunk is lost|parameters.c|s,first < elements; first,first + PL_OPTIMIZER_CHUNK <= elements; first,|parameters.c|adamw
gradient_norm: the last chunk is lost|gradient_norm.c|s,for (size_t i = 0; i < p->n_chunks; i++) sum,for (size_t i = 0; i + 1 < p->n_chunks; i++) sum,|gradient_norm.c|gradient_norm
gradient_norm: small gradients grow|gradient_norm.c|s, && clip < 1.0,,|gradient_norm.c|gradient_norm
gradient_norm: not finite is not seen|gradient_norm.c|s,isfinite(.*) ? 1.0f : 0.0f,1.0f,|gradient_norm.c|gradient_norm
pairwise: the diagonal blocks alone are there|pairwise.c|s,i <= j) put,i == j) put,|pairwise.c|pairwise
pairwise: rows of another stride|pairwise.c|s,x.stride\, mean,t->width\, mean,|pairwise.c|pairwise
pairwise: the mean of another column|pairwise.c|s,- mean\[at + c\],- mean[c],|pairwise.c|pairwise
pairwise: products of the first set|pairwise.c|s,put_block(&t\, k / blocks,put_block(\&t\, 0 * k,|pairwise.c|pairwise
logistic: noise is solved for|logistic.c|s,if (is_flat(s)) return 0.0;,,|logistic.c|logistic
reduce_lanes: a lane is dropped|reduce_lanes.c|s,lane < n_lanes,lane + 1 < n_lanes,|reduce_lanes.c|reduce_lanes
reduce_lanes: from right to left|reduce_lanes.c|s,pl__f32(args->lanes\, lane),pl__f32(args->lanes\, n_lanes - (args->accumulate ? 1 : 0) - lane),|reduce_lanes.c|reduce_lanes
embed_backward: the scale is forgotten|embed_backward.c|s, \* t->scale,,|embed_backward.c|embed_backward
embed_backward: padding has a gradient|embed_backward.c|s,t->has_padding &&,false \&\&,|embed_backward.c|embed_backward
embed_backward: a position's offset|embed_backward.c|s,\]\]\] + t->offset,]]],|embed_backward.c|embed_backward
gather_backward: what stood there is forgotten|gather_backward.c|s,to\[c\] += from,to[c] = from,|gather_backward.c|gather_backward
rotary_backward: turned further|rotary_backward.c|s,-1.0f,1.0f,|rotary_backward.c|rotary_backward
gate_backward: the gate's gradient lacks up|gate_backward.c|s,d \* up \* slope,d * slope,|gate_backward.c|gate_backward
gate_backward: a sigmoid's slope lacks a term|activation.h|s,return fmaf(k \* c \* s\, rest\, s);,return s;,|gate_backward.c|gate_backward
gate_backward: inf times 0|activation.h|s,float c = pl__within(x\, 16.0f)\, square,float c = x\, square,|gate_backward.c|gate_backward
norm_backward: the mean of g is not taken off|norm.h|s,g - level - z,g - z,|norm_backward.c|norm_backward
norm_backward: the projection is not taken off|norm.h|s,g - level - z \* slant,g - level,|norm_backward.c|norm_backward
norm_backward: a bias' gradient lacks a row|norm_backward.c|s,if (dbias),if (dbias \&\& r),|norm_backward.c|norm_backward
norm_backward: dx is not added to|norm_backward.c|s,pl__gain(args->gain)\, 0);,pl__gain(args->gain)\, 1);,|norm_backward.c|norm_backward
norm_backward: dx without the gain|norm_backward.c|s,pl__gain(args->gain)\, 0);,1.0f\, 0);,|norm_backward.c|norm_backward
norm_backward: dweight without the gain|norm_backward.c|s,+= gain \* dy\[i\] \* (float),+= dy[i] * (float),|norm_backward.c|norm_backward
head_norm_backward: weights of the first head|head_norm_backward.c|s,weight + i % H \* own,weight,|head_norm_backward.c|head_norm_backward
head_norm_backward: dbias is lost|head_norm_backward.c|s,dbias\[i\] += dy\[i\],dbias[i] += 0.0f,|head_norm_backward.c|head_norm_backward
head_norm_backward: dweight of one head|head_norm_backward.c|s,h < a->n_heads; h++,h < 1; h++,|head_norm_backward.c|head_norm_backward
repulsion: each point with itself|repulsion.c|s,LANE > (int32_t),LANE >= (int32_t),|repulsion.c|repulsion
repulsion: a slot is left out|repulsion.c|s,z += 2.0 \* shares\[s\],z += s ? 2.0 * shares[s] : 0.0,|repulsion.c|repulsion
repulsion: the other point gets nothing|repulsion.c|s,PL__AT(slot_x + j) -= back_x;,,|repulsion.c|repulsion
map_step: a row's last neighbours are left out|map_step.c|s,at < p->start\[i + 1\]; at += PL__LANES,at + PL__LANES < p->start[i + 1]; at += PL__LANES,|map_step.c|map_step
map_step: the gain of another sign|map_step.c|s,\*gain = same ?,*gain = !same ?,|map_step.c|map_step
map_step: steps have no longest|map_step.c|s,length > MOST_STEP,length > 1e9f,|map_step.c|map_step
map_step: the mean is not taken off|map_step.c|s,(double)y\[i\] - mean\[i % 2\],(double)y[i],|map_step.c|map_step
map_step: rows are not looked at|map_step.c|s,if (most < n) return PL_OK;,return PL_OK;,|map_step.c|map_step
dropout: nine rounds|dropout.h|s/, ROUND(9u)//|dropout.c|dropout
dropout: a mask of the place in the batch|dropout.h|s,mask.examples\[row\],(int32_t)row,|dropout.c|dropout
dropout: what is kept is not scaled|dropout.h|s,: m->scale,: 1.0f,|dropout.c|dropout
attention: every head has one mask|attention.c|s,head << 20 . start,start,|attention.c|attention_backward
attention: dropped before the sum|attention.c|s,w->sum\[i\] += pl__sum_page(s),w->sum[i] += 0.9f * pl__sum_page(s),|attention.c|attention_backward
attention_backward: the row sum is not taken off|attention_backward.c|s,dp\[i\] - w->inner\[i\],dp[i],|attention_backward.c|attention_backward
attention_backward: softcap has no slope|attention_backward.c|s,bend\[i\] = 1.0f - bent \* bent,bend[i] = 1.0f,|attention_backward.c|attention_backward
attention_backward: the window is one key wider|attention_backward.c|s,key + a->window < w->start + to,key + a->window + 1 < w->start + to,|attention_backward.c|attention_backward
attention_backward: the causal mask is one key late|attention_backward.c|s,key > w->start ? key - w->start : 0,key > w->start + 1 ? key - w->start - 1 : 0,|attention_backward.c|attention_backward
attention_backward: one query head a group|attention_backward.c|s,h < (kv_head + 1) \* group,h < kv_head * group + 1,|attention_backward.c|attention_backward
attention_backward: dv of what was dropped|attention_backward.c|s,p\[i\] \*= factor\[i\];,,|attention_backward.c|attention_backward
attention_backward: dq is not scaled|attention_backward.c|s,w.dq\[i \* t.width + d\] \* a->scale,w.dq[i * t.width + d],|attention_backward.c|attention_backward
attention_backward: ALiBi the other way|attention_backward.c|s,pl__alibi(w->slope,pl__alibi(-w->slope,|attention_backward.c|attention_backward
attention_backward: Falcon's ALiBi as Bloom's|attention_backward.c|s,w->slope\, a->alibi_scale,w->slope\, 0.0f,|attention_backward.c|attention_backward
EOF
}

# $1 program, $2 test, $3 folder of changed headers, $4 changed source (or none)
link() {
  local objects=("$build/tests/CMakeFiles/device_test_$2.dir/device/test_$2.c.o") flags="-std=c17 -O1 -w -D_GNU_SOURCE -fopenmp -ffp-contract=off -fno-math-errno"
  # shellcheck disable=SC2086
  if [ -n "${4:-}" ]; then
    "${CC:-cc}" $flags -I "$3" -I host -c "$3/device/cpu/$4" -o "$1.o" || return
    objects+=("$1.o")
  fi
  # shellcheck disable=SC2086
  "${CC:-cc}" -fopenmp -o "$1" "${objects[@]}" "$build"/libplumb_{device,cpu,base}.a $libraries -ldl -lm
}
export -f link

check() {
  local name file expression source test folder
  IFS='|' read -r name file expression source test <<<"$1"
  folder=$(mktemp -d "$work/fault.XXXXXX")
  mkdir -p "$folder/device"
  cp -r host/device/cpu "$folder/device/cpu"
  sed -i "$expression" "$folder/device/cpu/$file"
  if cmp -s "host/device/cpu/$file" "$folder/device/cpu/$file"; then echo "FAIL: $name: '$expression' changes nothing in $file"; return; fi
  if ! link "$folder/program" "$test" "$folder" "$source" >"$folder/log" 2>&1; then
    echo "FAIL: $name: does not compile: $(grep -m1 -E 'error|undefined' "$folder/log")"
    return
  fi
  timeout 120 "$folder/program" >"$folder/log" 2>&1
  local code=$?
  case $code in
    0 | 77) echo "FAIL: $name: test_$test is green" ;;
    124) echo "FAIL: $name: test_$test took more than two minutes" ;;
    *) echo "PASS: $name: test_$test says: $(grep -aE -m1 '^ERROR: .|off by|differ| != |by the formula' "$folder/log" | head -c 160)" ;;
  esac
}
export -f check

control() {
  link "$work/sound_$1" "$1" "" && timeout 120 "$work/sound_$1" >/dev/null 2>&1 || echo "FAIL: without a fault: test_$1 is red"
}
export -f control
faults | cut -d'|' -f5 | sort -u | xargs -P2 -n1 bash -c 'control "$1"' _ | tee "$work/out"
faults | xargs -d '\n' -P2 -n1 bash -c 'check "$1"' _ | tee -a "$work/out"
! grep -q '^FAIL' "$work/out" && [ "$(grep -c '^PASS' "$work/out")" -eq "$(faults | wc -l)" ]
