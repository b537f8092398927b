#!/usr/bin/env bash
# Builds edgehose for another processor, on Debian 12, into build-ARCH/.
#   build.sh ARCH                 of one of toolchains/: amd64, arm64, armhf, riscv64
#   build.sh ARCH --tests         with the tests, for test.sh
# Installs the compiler and makes the sysroot where they are missing (install-deps.sh, sysroot.sh). The
# program runs on Debian 12 (riscv64: on Debian 13, the first that knows the processor).
set -euo pipefail
cd "$(dirname "$0")/.."

source cross/arch.sh
processor "${1:-}"
tests=OFF
for option in "${@:2}"; do
  case $option in
    --tests) tests=ON ;;
    *) echo "build: there is no option $option; see the head of this file" >&2; exit 2 ;;
  esac
done

bash cross/install-deps.sh --cross
bash cross/sysroot.sh "$arch" >/dev/null
cmake --preset "$arch" -DEDGEHOSE_TESTS=$tests -DCMAKE_UNITY_BUILD=ON >/dev/null
cmake --build "build-$arch" --parallel "$(nproc)"

# What came out is what was asked for: a compiler of this machine would go unnoticed until it is installed.
program=build-$arch/agent/edgehose
header=$(LC_ALL=C readelf -h "$program")
right() { grep -q "$1" <<<"$header" || { echo "build: $program is not for $arch: no \"$1\" in its header" >&2; exit 1; }; }
right "Machine: *$machine\$"
[ "$arch" != armhf ] || right 'hard-float ABI'
echo "$program: $machine, $(stat -c %s "$program") bytes before stripping"
