#!/usr/bin/env bash
# Installs the Debian packages that edgehose is built from.
#   install-deps.sh                what a build and a run need
#   install-deps.sh --tests        also what the tests and benchmarks need
#   install-deps.sh --cross        also what builds for other processors, and runs them, need
#   install-deps.sh --packages     also what makes Debian packages and tests them
#   install-deps.sh --vm           also what the virtual machines of tests/vm need
#   install-deps.sh --static       also what the portable static build and its tests need (cross/static)
#   install-deps.sh --fuzz         also what fuzzing needs (tests/fuzz)
#   install-deps.sh --print-libraries  prints the packages that the program is linked with
# The options can stand together. Works as root and for a user with sudo. Does nothing, and needs
# no network, when every package is already there.
set -euo pipefail

# What the program is linked with, and what its tests are: a sysroot holds the same (sysroot.sh).
libraries=(libzstd-dev liblmdb-dev libssl-dev libboost-program-options-dev libcurl4-openssl-dev
           libtomlplusplus-dev nlohmann-json3-dev libspdlog-dev libfmt-dev libdeflate-dev
           libsimdjson-dev libexpected-dev zlib1g-dev)
test_libraries=(libgtest-dev libgmock-dev libbenchmark-dev)
build=(g++ cmake ninja-build pkg-config ca-certificates zstd age)
tests=(python3 logrotate rsyslog gzip xz-utils bzip2 e2fsprogs util-linux
       binutils jq libfaketime dosfstools exfat-fuse exfatprogs ntfs-3g openssl
       maven python3-venv systemd)
cross=(mmdebstrap qemu-user-static)
# Of the static build the sources are Debian's too, the compiler is PyPI's: cross/static/build.sh fetches them.
static=(dpkg-dev xz-utils make perl patch python3 python3-venv libboost1.74-dev debian-archive-keyring
        qemu-user-static busybox-static)
# The compilers for the other processors: a machine's own is g++.
source "$(dirname "$0")/arch.sh"
for other in $(processors); do
  triplet=$(toolchain_says "$other" triplet)
  [ "$other" = "$(dpkg --print-architecture)" ] || cross+=("g++-${triplet//_/-}")
done

packages=(dpkg-dev fakeroot file gzip lintian mmdebstrap)
vm=(qemu-system-x86 qemu-system-arm qemu-utils qemu-user-static mmdebstrap arch-test debian-archive-keyring e2fsprogs
    zstd gzip openssl libfaketime python3)

wanted=("${build[@]}" "${libraries[@]}")
for option in "$@"; do
  case $option in
    --tests) wanted+=("${tests[@]}" "${test_libraries[@]}") ;;
    --static) wanted+=("${static[@]}") ;;
    --cross) wanted+=("${cross[@]}") ;;
    --packages) wanted+=("${packages[@]}") ;;
    --vm) wanted+=("${vm[@]}") ;;
    --fuzz) wanted+=(clang-19 libclang-rt-19-dev) ;;
    --print-libraries) echo "${libraries[@]}" "${test_libraries[@]}"; exit 0 ;;
    *) echo "install-deps: there is no option $option; see the head of this file" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
    missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "install-deps: these packages are missing and sudo is not there to install them: ${missing[*]}" >&2
    echo "install-deps: run 'apt-get install ${missing[*]}' as root, then this again" >&2
    exit 1
  }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
