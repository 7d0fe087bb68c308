#!/usr/bin/env bash
# Registers, shared memory and spills of every kernel in cuda/*.cu, as a markdown table; no GPU is needed.
#
#   tests/cuda/kernel_table.sh > results/benchmarks/cuda-kernels.md
#
# Compiles for sm_80 and sm_90 as the build does and reads what ptxas says. Exit code 1 when a kernel spills more than
# tests/cuda/kernel_spills.txt allows (lines: architecture, bytes stored + loaded, kernel as the table names it); 77 and a
# SKIP line where there is no nvcc.
set -uo pipefail
cd "$(dirname "$0")/../.."
architectures=(80 90)
allowed=tests/cuda/kernel_spills.txt

nvcc=$({ command -v nvcc; ls "${CUDA_HOME:-/nowhere}/bin/nvcc" /usr/local/cuda/bin/nvcc; ls -vr /usr/local/cuda-*/bin/nvcc; } 2>/dev/null | head -1)
[ -n "$nvcc" ] || { echo "SKIP kernel table: no nvcc"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

targets=()
for a in "${architectures[@]}"; do targets+=(-gencode "arch=compute_$a,code=sm_$a"); done
compile() { # the options of cuda/CMakeLists.txt, without warnings as errors
  "$nvcc" -std=c++17 -O2 -DNDEBUG -Ihost --expt-relaxed-constexpr "${targets[@]}" -Xptxas -v -c -o "$tmp/$(basename "$1").o" "$1" >"$tmp/$(basename "$1").log" 2>&1 ||
    { tail -5 "$tmp/$(basename "$1").log" >&2; echo "$1" >>"$tmp/failed"; }
}
for file in cuda/*.cu; do
  compile "$file" &
  while [ "$(jobs -r | wc -l)" -ge "$(nproc)" ]; do wait -n; done
done
wait
[ -e "$tmp/failed" ] && { echo "kernel_table.sh: does not compile: $(tr '\n' ' ' <"$tmp/failed")" >&2; exit 1; }

# file, kernel, architecture, registers, static shared bytes, bytes of spill stores and loads, stack bytes
for file in cuda/*.cu; do
  c++filt <"$tmp/$(basename "$file").log" | sed -E "s/\(anonymous namespace\):://g; s/__nv_bfloat16/bf16/g; s/__half/f16/g; s/\([a-z_]+\)([0-9])/\1/g" |
    awk -v file="$(basename "$file" .cu)" '
      /Compiling entry function/ {
        match($0, /sm_[0-9]+/); arch = substr($0, RSTART + 3, RLENGTH - 3)
        split($0, part, "\047"); name = part[2]; sub(/^void /, "", name); sub(/\(.*/, "", name); gsub(/, /, ",", name)
      }
      /bytes stack frame/ { stack = $1; stores = $5; loads = $9 }
      /Used [0-9]+ registers/ {
        for (i = 1; i < NF; i++) if ($i == "Used") registers = $(i + 1)
        shared = 0; if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
        print file "\t" name "\t" arch "\t" registers "\t" shared "\t" stores + loads "\t" stack
      }'
done | sort -t$'\t' -k1,2 >"$tmp/kernels"

echo "# Kernels: registers, shared memory, spills"
echo
echo "$("$nvcc" --version | sed -n 's/.*\(release [0-9.]*\).*/nvcc \1/p'), -O2. Command: \`tests/cuda/kernel_table.sh\`. Numbers are for ${architectures[*]/#/sm_}; one number where they agree."
echo "Shared memory is what a kernel declares; what its launcher adds (dynamic) stands in its file. $(cut -f2 "$tmp/kernels" | sort -u | wc -l) kernels."
echo
echo "| file | kernel | registers | shared bytes | spilled bytes | stack bytes |"
echo "|---|---|---|---|---|---|"
awk -F'\t' '
  function both(list,  part, n, i) { n = split(list, part, " "); for (i = 2; i <= n; i++) if (part[i] != part[1]) { gsub(" ", " / ", list); return list }; return part[1] }
  function row() { if (key != "") print "| " file " | `" name "` | " both(r) " | " both(s) " | " both(p) " | " both(k) " |" }
  { if ($1 "\t" $2 != key) { row(); key = $1 "\t" $2; file = $1; name = $2; r = s = p = k = "" }
    r = r (r == "" ? "" : " ") $4; s = s (s == "" ? "" : " ") $5; p = p (p == "" ? "" : " ") $6; k = k (k == "" ? "" : " ") $7 }
  END { row() }' "$tmp/kernels"

awk -F'\t' -v allowances="$allowed" '
  BEGIN { while ((getline line < allowances) > 0) { if (line ~ /^#/ || line == "") continue; split(line, w, " "); name = line; sub(/^[^ ]+ +[^ ]+ +/, "", name); may[w[1] "\t" name] = w[2] } }
  { if ($6 > may[$3 "\t" $2] + 0) { print "kernel_table.sh: " $2 " of " $1 ".cu spills " $6 " bytes on sm_" $3 ", allowed: " may[$3 "\t" $2] + 0 > "/dev/stderr"; bad = 1 } }
  END { exit bad }' "$tmp/kernels"
