#!/usr/bin/env bash
# The tests of training in several processes, and of which paths are far (longrope), can fail: faults planted in copies of
# what shares it out, or decides it, one a time, must turn the test that is named red.
#
#   tests/train/faults.sh BUILD
#
# BUILD is a build tree without sanitizer. A fault is a sed expression on one file of host/; the changed copy is linked before
# the build tree's libraries. An expression that changes nothing is a failure. Prints a line PASS or FAIL a fault.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "${1:?usage: tests/train/faults.sh BUILD}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
libraries=$(pkg-config --libs cmocka jansson yaml-0.1 libxxhash openssl libpcre2-8 libutf8proc)
export build work libraries

# name | changed file | expression | test
faults() {
  cat <<'EOF'
a lane is dropped|train/ranks.c|s,first_lane + i)) continue;,first_lane + i) \|\| r->round.first_lane + i == 3) continue;,|train/test_ranks --kills 0
lanes are added from right to left|train/ranks.c|s,pl_view_rows(received\, i\, 1),pl_view_rows(received\, r->size - 1 - i\, 1),|train/test_ranks --kills 0
a lane's gradient goes on into the next|train/ranks.c|s,return pl_fill_zero(&t->processor\, t->stream\, t->lane);,return PL_OK;,|train/test_ranks --kills 0
a bucket goes before all that adds to it has gone back|model/trainable.c|s,embedding ? 0 : slot,embedding ? c->L - 1 : slot,|train/test_ranks --kills 0
nothing goes before the pass has ended|train/ranks.c|s,b->block >= part.first \&\& b->block < part.end,part.first == 0,|train/test_ranks --kills 0
losses of one round alone|train/ranks.c|s,lane / r->size \* sizeof one,0 * sizeof one,|train/test_ranks --kills 0
a slice's sum overwrites the one before|train/ranks.c|s,bool begun = r->round.begun;,bool begun = false;,|train/test_ranks --kills 0
a rank takes the slice of another|device/cpu/comm.c|s,place_of(c\, r) + (size_t)c->rank \* most,place_of(c\, r) + (size_t)r * most,|device/test_comm
a step has the rates of the first|train/step.c|s,PL_TRY(send(t\, t->factors\, factors));,if (!t->step) PL_TRY(send(t\, t->factors\, factors));,|train/test_steps
nobody waits|device/cpu/comm.c|s,PL_TRY(meet(c));,,|device/test_comm
a piece is overwritten while it is read|device/cpu/comm.c|s,c->half ^= 1;,,|device/test_comm
a dead rank is waited for|device/cpu/comm.c|s,const bool gone = .*,const bool gone = false;,|device/test_comm
near and far paths share a beginning|engine/tree.c|s,(uint64_t)far << 31 \| ,,;s, \&\& node->far == far,,|engine/test_border
nothing runs anew at the border|engine/continuation.c|s,most = ending->border;,;,|engine/test_border
a path is far by its first token|engine/paths.c|s,pl_is_far(plan->config->border\, n),plan->config->border > 0,|engine/test_border
no path is far|engine/paths.c|s,return pl_is_far(plan->config->border\, n),return false,|engine/test_border
a step has the rows of near paths|engine/batch.c|s,p\, i\, node->far,p\, i\, false,|engine/test_border
a choice is far by the token behind it|engine/paths.c|s,? run : before,? run : run,|engine/test_border
a far choice carries a near prompt|engine/paths.c|s,== is_far(plan\, request->n) \&\&,>= 0 \&\&,|engine/test_border
an example is far by its last token too|train/batch.c|s,pl_is_far(b->border\, n),pl_is_far(b->border\, n + 1),|train/test_gradients
an end reaches its own rank alone|device/cpu/comm.c|s,(void)atomic_compare_exchange_strong(&c->hub->ended_by\, &nobody\, 1u + (unsigned)c->rank);,c->rank = -1;,|device/test_comm
EOF
}

check() {
  local name file expression test folder=''
  IFS='|' read -r name file expression test <<<"${1//\\|/$'\x01'}"
  expression=${expression//$'\x01'/|}
  folder=$(mktemp -d "$work/fault.XXXXXX")
  sed "$expression" "host/$file" >"$folder/changed.c"
  if cmp -s "host/$file" "$folder/changed.c"; then echo "FAIL: $name: '$expression' changes nothing in $file"; return; fi
  local program=${test%% *} arguments=''
  [ "$program" = "$test" ] || arguments=${test#* }
  # shellcheck disable=SC2086
  if ! { "${CC:-cc}" -std=c17 -O1 -w -D_GNU_SOURCE -ffp-contract=off -I host -c "$folder/changed.c" -o "$folder/changed.o" &&
    "${CC:-cc}" -fopenmp -o "$folder/program" "$build/tests/CMakeFiles/${program%%/*}_${program##*/}.dir/$program.c.o" "$folder/changed.o" \
      "$build"/libplumb_{train,engine,model,tokenizer,device,cpu,base}.a $libraries -ldl -lm; } >"$folder/log" 2>&1; then
    echo "FAIL: $name: does not compile: $(grep -m1 -E 'error|undefined' "$folder/log")"
    return
  fi
  # shellcheck disable=SC2086
  OMP_NUM_THREADS=1 timeout 180 "$folder/program" $arguments >"$folder/log" 2>&1
  local code=$?
  case $code in
    0 | 77) echo "FAIL: $name: $program is green" ;;
    124) echo "FAIL: $name: $program took more than three minutes" ;;
    *) echo "PASS: $name: $program says: $(grep -aE -m1 '^ERROR: .|differs|expected|still waits' "$folder/log" | head -c 160)" ;;
  esac
}
export -f check
faults | xargs -d '\n' -P2 -n1 bash -c 'check "$1"' _ | tee "$work/out"
! grep -q '^FAIL' "$work/out" && [ "$(grep -c '^PASS' "$work/out")" -eq "$(faults | wc -l)" ]
