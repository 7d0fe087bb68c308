#!/usr/bin/env bash
# The rules of structure that a script can check (README, "Architecture"): include direction, op files in pairs with a
# test each, launches checked, nobody but main.c ends the process, sizes of files and functions. Prints every breach.
set -uo pipefail
cd "$(dirname "$0")/.."
bad=0
breach() { echo "layering: $*"; bad=1; }

# folder -> folders it may include (its own always). device/cpu counts as a folder of its own.
declare -A may=(
  [base]="" [device]="base" [device/cpu]="device base" [text]="base" [model]="device base" [store]="base"
  [engine]="model text device base" [train]="model device base" [analysis]="store device base"
  [report]="analysis store base" [experiment]="engine train text store model device base"
  [cli]="report analysis experiment engine train text store model device base"
)
for folder in "${!may[@]}"; do
  for file in host/"$folder"/*.[ch]; do
    [ -e "$file" ] || continue
    while read -r included; do
      from=$(dirname "$included")
      [ "$from" = "$folder" ] || [[ " ${may[$folder]} " == *" $from "* ]] || breach "$file includes $included"
    done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$file")
    # The file that implements a header includes it first.
    header=${file%.c}.h
    if [[ $file == *.c && -e $header ]]; then
      first=$(sed -n 's/^#include ["<]\(.*\)[">]/\1/p' "$file" | head -1)
      [ "host/$first" = "$header" ] || breach "$file: includes $first before its own header"
    fi
    if [ "$folder" != store ] && grep -q 'include <hdf5' "$file"; then breach "$file: only host/store includes hdf5.h"; fi
  done
done
for file in cuda/*.cu cuda/*.cuh; do
  [ -e "$file" ] || continue
  while read -r i; do breach "$file: $i"; done < <(grep -oE '^#include "[^"]+"' "$file" | grep -vE '"(device|base)/|"[a-z_]+\.(cuh|h)"')
  case $file in *.cu) [ -e "host/device/cpu/$(basename "$file" .cu).c" ] || breach "$file has no twin in host/device/cpu" ;; esac
  grep -qE '<<<' "$file" && breach "$file: launches go through CU_LAUNCH"
done

# Every op of the table that the CPU backend implements has a case in the op test.
while read -r op; do
  grep -qrE "\b$op\b" tests/device/*.c || breach "op $op has no test in tests/device"
done < <(sed -n 's/^ *\.\([a-z_]*\) = pl__cpu_\1.*/\1/p' host/device/cpu/backend.c)

while read -r line; do breach "ends the process below main.c: $line"; done < <(grep -nE '\b(exit|abort|_exit|quick_exit)\(' host/*/*.c host/device/cpu/*.c cuda/*.cu 2>/dev/null)

for file in host/*/*.[ch] host/device/cpu/*.[ch] cuda/*; do
  [ -f "$file" ] || continue
  lines=$(wc -l <"$file")
  [ "$lines" -le 600 ] || breach "$file has $lines lines (600 at most)"
  # A function's body opens with '{' in column 1 and ends with '}' in column 1.
  awk -v f="$file" '/^\{/ {start=NR} /^\}/ {if (start && NR-start > 150) {printf "layering: %s:%d: a function of %d lines (150 at most)\n", f, start, NR-start; bad=1} start=0} END {exit bad}' "$file" || bad=1
done

# The top level is fixed.
extra=$(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u | grep -vxE 'cuda|host|experiments|results|tests|CMakeLists\.txt|README\.md|LICENSE|\..*')
[ -z "$extra" ] || breach "outside the agreed top level: $extra"
exit $bad
