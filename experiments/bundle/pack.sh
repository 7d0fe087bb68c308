#!/usr/bin/env bash
# Packs BUILD/plumb-VERSION-linux-x86_64.tar.gz out of the programs listed in BUILD/bundle-files.txt (bundle.cmake calls it).
#
#   pack.sh BUILD VERSION LAUNCHER
#
#   bin/            the launchers of plumb and plumb-make-model: hard links of one static program
#   README.md       the bundle's own (experiments/bundle/README.md)
#   libexec/        the programs themselves, stripped
#   lib/            every shared library they need, loader and C library included; libplumb_cuda.so
#   licenses/       the copyright files of the packages that the libraries came from (where dpkg knows them)
#   tests/          only with -DPLUMB_TESTS=ON: bin/ (the test programs' launchers), gpu/, bench/, golden models and
#                   tokenizers, program/{lib.sh,random.yaml}: what tests/gpu/run.sh runs and reads
#   experiments/    the demo, tasks, data
# CUDA's own libraries (cublasLt, the driver) are not packed: the launcher looks for the host's.
set -euo pipefail
build=$1 version=$2 launcher=$3
name=plumb-$version-linux-x86_64 archive=$build/plumb-$version-linux-x86_64.tar.gz
stage=$build/bundle/$name
limit_mib=64

rm -rf "$build/bundle"
mkdir -p "$stage"/{bin,lib,libexec,licenses}

install -m 755 "$launcher" "$build/bundle/launcher"
strip "$build/bundle/launcher"
first=
while read -r file; do
  base=$(basename "$file")
  case $base in
  *.so) install -m 755 "$file" "$stage/lib/$base"; strip --strip-unneeded "$stage/lib/$base" ;;
  *)
    install -m 755 "$file" "$stage/libexec/$base"
    strip "$stage/libexec/$base"
    case $base in plumb | plumb-make-model) folder=bin ;; *) folder=tests/bin ;; esac
    mkdir -p "$stage/$folder"
    if [ -z "$first" ]; then cp "$build/bundle/launcher" "$stage/$folder/$base"; first=$folder/$base; else ln "$stage/$first" "$stage/$folder/$base"; fi
    ;;
  esac
done <"$build/bundle-files.txt"

# What the programs and the plug-in need, then the rest of the C library and the compiler's run times: a driver's libcuda
# and cuBLAS ask for libdl, libpthread and librt by name, and the host's own would not fit our libc.
needed() { { xargs ldd || true; } 2>/dev/null | sed -nE 's/.* => (\/[^ ]+) .*/\1/p; s/^[[:space:]]+(\/[^ ]*ld-linux[^ ]*) .*/\1/p' | sort -u; }
libraries=$(needed <"$build/bundle-files.txt")
libc=$(grep -m1 '/libc\.so\.6$' <<<"$libraries")
libstdcxx=$(gcc -print-file-name=libstdc++.so.6)
for extra in libm libdl libpthread librt libutil libresolv libanl libmvec libnss_files libnss_dns; do
  for file in "$(dirname "$libc")/$extra".so.*; do [ -e "$file" ] && libraries+=$'\n'$file; done
done
packed=()
libraries+=$'\n'$libstdcxx$'\n'$(gcc -print-file-name=libgcc_s.so.1)
while read -r file; do
  case $(basename "$file") in libcublas* | libcudart* | libcuda.so* | libnv* | libplumb_*) continue ;; esac
  [ -e "$stage/lib/$(basename "$file")" ] && continue
  install -m 755 "$(realpath "$file")" "$stage/lib/$(basename "$file")"
  packed+=("$file" "$(realpath "$file")" "${file#/usr}" "$(realpath "$file" | sed 's#^/usr##')") # dpkg may know it without /usr
done <<<"$libraries"
if command -v dpkg-query >/dev/null; then
  { dpkg-query --search "${packed[@]}" 2>/dev/null || true; } | cut -d: -f1 | sort -u | while read -r package; do
    if [ -e "/usr/share/doc/$package/copyright" ]; then cp -L "/usr/share/doc/$package/copyright" "$stage/licenses/$package"; fi
  done
fi
[ -e "$stage/lib/ld-linux-x86-64.so.2" ] || { echo "pack.sh: no loader among the libraries of plumb" >&2; exit 1; }

# Scripts and data: what git knows of these folders, or all of them outside a checkout.
list() { if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then git ls-files --cached --others --exclude-standard -- "$@"; else find "$@" -type f; fi; }
list experiments results/README.md $(ls -d LICENSE* 2>/dev/null) >"$build/bundle/sources.txt"
if [ -e "$stage/libexec/bench-engine" ]; then
  list tests/gpu tests/bench tests/golden/models tests/golden/train tests/golden/tsne tests/golden/tokenizers tests/program/{lib.sh,random.yaml} >>"$build/bundle/sources.txt"
fi
grep -vE '\.(c|h)$|CMakeLists\.txt$' "$build/bundle/sources.txt" | while read -r file; do [ -e "$file" ] && printf '%s\n' "$file"; done |
  tar --create --files-from=- | tar --extract --directory="$stage"
mv "$stage/experiments/bundle/README.md" "$stage/README.md"
rm -r "$stage/experiments/bundle" # made the bundle, of no use in it

date=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar --create --directory="$build/bundle" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$date}" "$name" |
  gzip -n >"$archive.part"
mv "$archive.part" "$archive"
bytes=$(stat -c %s "$archive")
echo "$archive: $((bytes >> 20)) MiB packed, $(du -sm "$stage" | cut -f1) MiB unpacked"
rm -rf "$build/bundle"
[ "$bytes" -lt $((limit_mib << 20)) ] || { echo "pack.sh: the archive is larger than $limit_mib MiB" >&2; exit 1; }
