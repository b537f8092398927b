#!/usr/bin/env bash
# Proves edgehose on a booted Debian 12 in qemu: reboots, power cuts, no network, a wrong clock, full and
# read-only disks, logrotate, the package. Takes its time; it is no part of tests/run.sh.
#   bash tests/vm/run.sh --deb FILE            all of it, with that package
#   bash tests/vm/run.sh --only power_cuts --cuts 50 --seed 7
#   bash tests/vm/run.sh --arch arm64 --deb FILE
#   bash tests/vm/run.sh --help                every option
# Works as root and for a user with sudo: an image's files belong to root.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "run.sh: run this as root: an image's files belong to root" >&2; exit 1; }
  exec sudo --preserve-env=XDG_CACHE_HOME bash tests/vm/run.sh "$@"
fi
bash cross/install-deps.sh --vm
exec python3 tests/vm/scenarios.py "$@"
