#!/usr/bin/env bash
# Builds the portable edgehose, one static file for any Linux, and packs it.
#   build.sh ARCH [--output DIR] [--later]    ARCH: amd64, arm64, armhf (ARMv7), armv6 (Raspberry Pi 1, Zero), riscv64
# On a fresh Debian 12 it does everything: installs what it needs (cross/install-deps.sh --static), fetches
# compiler and sources, builds libraries and edgehose, and leaves
#   DIR/edgehose-VERSION-linux-ARCH.tar.gz   what a device gets (DIR is build-static by default)
#   DIR/edgehose-ARCH                        the program alone
#   DIR/edgehose_later-ARCH                  with --later, for test.sh: the same with the next release's format
# What is fetched and built is kept in EDGEHOSE_STATIC_CACHE, by default ~/.cache/edgehose/static, so that the
# next time only what changed is built. EDGEHOSE_STATIC_JOBS: compilers side by side.
set -euo pipefail
scripts=$(dirname "$(realpath "$0")")
root=$(realpath "$scripts/../..")
source "$scripts/targets.sh"

arch='' output=$root/build-static later=''
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=${2:?--output wants a directory}; shift ;;
    --later) later=edgehose_later ;;
    -*) usage "$1" ;;
    *) arch=$1 ;;
  esac
  shift
done
[ -n "$arch" ] || { echo "build: say for which architecture: ${architectures[*]}" >&2; exit 2; }
target "$arch"
layout "$arch"
mkdir -p "$output" "$here"
jobs=$(build_jobs)

bash "$scripts/../install-deps.sh" --static
bash "$scripts/compiler.sh" "$arch"
bash "$scripts/sources.sh" "$sources"
bash "$scripts/libraries.sh" "$arch"

# CMake does not look into a compiler's script, nor take a folder from another tree: it begins anew.
made_by=$(cat "$tools/cc" "$tools/c++" <(echo "$root") | sha256sum)
if [ "$(cat "$here/edgehose/made_by" 2>/dev/null)" != "$made_by" ]; then
  rm -rf "$here/edgehose"
  mkdir -p "$here/edgehose"
  echo "$made_by" >"$here/edgehose/made_by"
fi

SECONDS=0
printf '  %s: edgehose ... ' "$arch"
log=$here/edgehose.log
export EDGEHOSE_STATIC_ARCH=$arch EDGEHOSE_STATIC_CACHE=$cache
# What writes the man pages is a program of the same build.
emulator=qemu-$qemu-static
[ "$processor" = "$(uname -m)" ] && emulator="env"
{
  cmake -S "$root" -B "$here/edgehose" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON \
    -DCMAKE_TOOLCHAIN_FILE="$scripts/zig.cmake" -DCMAKE_CROSSCOMPILING_EMULATOR="$(command -v "$emulator")" &&
    ninja -C "$here/edgehose" -j "$jobs" edgehose pages $later
} >"$log" 2>&1 || { echo failed; errors_of "$log" >&2
                    echo "build: all of its output: $log" >&2; exit 1; }
echo "$SECONDS s"
install -m 755 "$here/edgehose/agent/edgehose" "$output/edgehose-$arch"
# One of an earlier build would be tested as if it were of this one.
rm -f "$output/edgehose_later-$arch"
[ -z "$later" ] || install -m 755 "$here/edgehose/tests/promises/$later" "$output/$later-$arch"
bash "$scripts/package.sh" "$arch" "$output/edgehose-$arch" "$output"
