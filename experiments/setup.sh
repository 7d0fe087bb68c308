#!/usr/bin/env bash
# Installs the Debian packages that plumb needs, when any is missing.
#   setup.sh build   what compiling and running takes
#   setup.sh test    that, and what the tests take
#   setup.sh real    what experiments/data/fetch-* take
# The one list of packages: experiments/demo.sh and tests/run.sh call this file. Silent when nothing is missing.
set -euo pipefail

build=(build-essential cmake ninja-build pkg-config libhdf5-dev libjansson-dev libyaml-dev libpcre2-dev libutf8proc-dev
       libxxhash-dev libssl-dev zlib1g-dev librandom123-dev)
test=(libcmocka-dev chromium clang libclang-rt-14-dev clang-format clang-tidy hdf5-tools python3 python3-h5py python3-anndata
      slurm-wlm slurmctld slurmd slurm-client)
real=(python3 python3-numpy python3-pip)

case "${1:-}" in
build) packages=("${build[@]}") ;;
test) packages=("${build[@]}" "${test[@]}") ;;
real) packages=("${real[@]}") ;;
*) echo "usage: setup.sh build|test|real" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
    echo "setup.sh: no apt-get on this machine; plumb needs what Debian calls: ${packages[*]}" >&2
    exit 0 # CMake names what is really missing
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup.sh: run as root, or install: ${missing[*]}" >&2; exit 1; }
    root=(sudo)
fi
echo "setup.sh: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1; }
# No recommended packages: the build needs none, and half of the time would go there.
if ! { apt update && apt install -y --no-install-recommends "${missing[@]}"; }; then
    cat "$log" >&2
    echo "setup.sh: apt-get failed (above); no network, or no such package in this release? Install by hand: ${missing[*]}" >&2
    exit 1
fi
