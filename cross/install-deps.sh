#!/usr/bin/env bash
# Installs the Debian packages that edgehose is built from.
#   install-deps.sh          what a build and a run need
#   install-deps.sh --tests  also what the tests and benchmarks need
# Works as root and for a user with sudo. Does nothing, and needs no network,
# when every package is already there.
set -euo pipefail

build=(g++ cmake ninja-build pkg-config
       libzstd-dev liblmdb-dev libssl-dev libboost-program-options-dev libcurl4-openssl-dev
       libtomlplusplus-dev nlohmann-json3-dev libspdlog-dev libfmt-dev libdeflate-dev
       libsimdjson-dev libexpected-dev zlib1g-dev ca-certificates zstd age)
tests=(libgtest-dev libgmock-dev libbenchmark-dev python3 logrotate rsyslog gzip xz-utils bzip2 e2fsprogs util-linux
       binutils jq libfaketime dosfstools exfat-fuse exfatprogs ntfs-3g openssl
       maven python3-venv)

wanted=("${build[@]}")
[ "${1:-}" = "--tests" ] && wanted+=("${tests[@]}")

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
