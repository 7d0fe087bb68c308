#!/usr/bin/env bash
# The rules of structure that a script can check (README, "Architecture"): include direction, op files in pairs with a
# test each, launches checked, who ends the process, JSON setters checked, sizes of files and functions. Prints every breach.
set -uo pipefail
cd "$(dirname "$0")/.."
bad=0
breach() { echo "layering: $*"; bad=1; }

# folder -> folders it may include (its own always). device/cpu counts as a folder of its own.
declare -A may
while IFS=: read -r folder allowed; do may[$folder]=$allowed; done < <(grep '^[a-z]' host/folders.txt)
for folder in host/*/ host/device/cpu/; do
  folder=${folder#host/} folder=${folder%/}
  [ -n "${may[$folder]+listed}" ] || breach "host/$folder is not in host/folders.txt"
done
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

# README.md's table of folders says the same: `host/<folder>/` | sentence | what it may include.
for folder in "${!may[@]}"; do
  row=$(grep -F "| \`host/$folder/\` |" README.md) || { breach "README.md has no row for host/$folder/"; continue; }
  said=$(sed -E 's/^.*\| *([^|]*[^| ]) *\| *$/\1/; s/,//g' <<<"$row" | tr ' ' '\n' | sort | xargs)
  listed=$(tr ' ' '\n' <<<"${may[$folder]:-nothing}" | sed '/^$/d' | sort | xargs)
  [ "$said" = "${listed:-nothing}" ] || [ "$said" = "below everything" ] || breach "README.md says that host/$folder/ may include '$said', host/folders.txt '$listed'"
done

# cuda/ knows the contract, the status and its own headers. A .cu is the twin of an op's file on the CPU; its kernels are
# static, its launches go through CU_LAUNCH, and the function with a status that launches, or calls the template that does,
# checks with PL_LAUNCHED.
for file in cuda/*.c cuda/*.h cuda/*.cu cuda/*.cuh; do
  [ -e "$file" ] || continue
  while read -r included; do
    case $included in
      device/cpu/*) breach "$file includes $included" ;;
      device/*.h | base/status.h) ;;
      cuemu_ptx.h) [ "$file" = cuda/ptx.cuh ] || breach "$file includes $included" ;;
      *) [ -e "cuda/$included" ] || breach "$file includes $included" ;;
    esac
  done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$file")
  case $file in *.cu)
    [ -e "host/device/cpu/$(basename "$file" .cu).c" ] || breach "$file has no twin in host/device/cpu"
    while read -r line; do breach "$file:$line: a kernel that is not static"; done < <(grep -nE '__global__' "$file" | grep -vE 'static __global__' | cut -d: -f1)
    ;;
  esac
  [ "$file" = cuda/kernel.cuh ] || ! grep -qE '<<<' "$file" || breach "$file: launches go through CU_LAUNCH"
  case $file in *.cu) ;; *) continue ;; esac
  while read -r line; do breach "$file:$line: CU_LAUNCH without PL_LAUNCHED after it"; done < <(awk '
    /CU_LAUNCH\(/ {if (!open) open = NR; next}
    /PL_LAUNCHED\(/ {open = 0}
    /^[a-zA-Z].*pl_status [a-z_]+\(/ {status = 1}
    /^}/ {if (status && open) {print open; open = 0} status = 0}
    END {if (open) print open}' "$file")
done

# Every op of the list has a case in a test that compares numbers, every other entry of the CPU's table is named in the
# op tests (some through pl_processor_open, pl_processor_close, pl_view_free; three are asked by the checks alone); the
# CUDA backend's table has every entry of the CPU's. Nobody calls an op past its checks.
ops=$(sed -n '/^#define PL_FORWARD_OPS/,/[^\\]$/s/^ *X(\([a-z_]*\)).*/\1/p' host/device/ops.h)
ops="$ops $(sed -n '/^#define PL_TRAINING_OPS/,/[^\\]$/s/^ *X(\([a-z_]*\)).*/\1/p' host/device/ops.h)"
[ "$(wc -w <<<"$ops")" -ge 28 ] || breach "host/device/ops.h: PL_FORWARD_OPS is not read as a list of ops"
for op in $ops; do
  grep -qE "pl_op_$op\(|RUN_OP\([^,]*, $op," $(ls tests/device/test_*.c | grep -v test_check) || breach "op $op has no test in tests/device"
done
while read -r file; do breach "$file calls past the checks (unchecked): use pl_op_<op> and the other calls of device/device.h"; done < <(
  grep -rlw unchecked host | grep -vxE 'host/device/(calls\.c|ops\.h|cpu/backend\.c)')
while read -r entry; do
  grep -qrwE "(pl_)?$entry" tests/device --include='*.c' --include='*.h' || breach "$entry has no test in tests/device"
  grep -qE "^ *\.$entry = " cuda/backend.c || breach "$entry is not in the table of cuda/backend.c"
done < <(sed -n '/^const pl_backend pl_backend_cpu/,/^};/s/^ *\.\([a-z_]*\) = .*/\1/p' host/device/cpu/backend.c | grep -vxE 'name|exact|shares_memory|open|close|buffer_free|buffer_bytes|weight_shape|kv_shape|unchecked|upload|download|fill_zero|weight_set|weight_refresh')

# main.c ends the process, and one function below it: pl_out_of_memory (base/memory.h); a helper's fork (base/helper.h)
# ends itself.
while read -r line; do breach "ends the process below main.c: $line"; done < <(awk '
  /^[a-z].*\(/ {name = $0}
  /(^|[^a-z_])(exit|abort|_exit|quick_exit)\(/ {if (!(FILENAME == "host/base/memory.c" && name == "void pl_out_of_memory(const char *what)") &&
    !(FILENAME == "host/base/helper.c" && name == "static _Noreturn void leave(void)")) print FILENAME ":" FNR ":" $0}
  ' host/*/*.c host/device/cpu/*.c cuda/*.c cuda/*.cu 2>/dev/null)

# Text of others is made visible on its way to a terminal: pl_print (base/visible.h). An error is that already.
while read -r line; do breach "prints past pl_print: $line"; done < <(grep -nE 'fprintf\(stderr' host/*/*.c | grep -vE '^host/(base/progress|cli/cli)\.c:')

# What jansson's setters say is looked at: a text that is not UTF-8 gives no value, and the key would be gone.
while read -r line; do breach "a JSON setter whose result nobody looks at: $line"; done < <(grep -nE '^ *(\(void\) *)?json_(object|array)_[a-z_]*(set|append|insert|update|extend)[a-z_]*\(' host/*/*.c)

for file in host/*/*.[ch] host/device/cpu/*.[ch] cuda/*; do
  [ -f "$file" ] || continue
  lines=$(wc -l <"$file")
  [ "$lines" -le 600 ] || breach "$file has $lines lines (600 at most)"
  # A function's body opens with '{' in column 1 and ends with '}' in column 1.
  awk -v f="$file" '/^\{/ {start=NR} /^\}/ {if (start && NR-start > 150) {printf "layering: %s:%d: a function of %d lines (150 at most)\n", f, start, NR-start; bad=1} start=0} END {exit bad}' "$file" || bad=1
done

for file in host/*/*.js; do
  lines=$(wc -l <"$file")
  [ "$lines" -le 400 ] || breach "$file has $lines lines (400 at most)"
done

# Every environment variable that the program reads stands in the reference page.
while read -r variable; do
  grep -qE "^\|.*\`$variable\`.*\|.*\|" experiments/REFERENCE.md || breach "experiments/REFERENCE.md does not name the environment variable $variable"
done < <(grep -rhoE 'getenv\("[A-Z_0-9]+"\)' host cuda experiments | sed 's/.*"\(.*\)".*/\1/' | sort -u)

# The top level is fixed.
extra=$(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u | grep -vxE 'cuda|host|experiments|results|tests|CMakeLists\.txt|README\.md|LICENSE|\..*')
[ -z "$extra" ] || breach "outside the agreed top level: $extra"
exit $bad
