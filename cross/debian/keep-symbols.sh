#!/usr/bin/env bash
# Keeps of the packages that a sysroot was unpacked from what dependencies need later.
#   keep-symbols.sh SYSROOT [DIRECTORY]
# DIRECTORY holds the .deb files, SYSROOT/var/cache/apt/archives by default (mmdebstrap leaves them
# there with --skip=cleanup/apt). Written: SYSROOT/DEBIAN/shlibs and symbols, of all packages, and
# packages: name, version, installed size in KiB and what it provides, a line each.
set -euo pipefail
sysroot=$1 debs=${2:-$1/var/cache/apt/archives}

mkdir -p "$sysroot/DEBIAN"
for file in shlibs symbols packages; do : >"$sysroot/DEBIAN/$file"; done
for deb in "$debs"/*.deb; do
  [ -f "$deb" ] || { echo "keep-symbols: $debs holds no .deb file" >&2; exit 1; }
  for file in shlibs symbols; do
    dpkg-deb --info "$deb" "$file" >>"$sysroot/DEBIAN/$file" 2>/dev/null || true
  done
  # shellcheck disable=SC2016  # dpkg-deb fills it in
  dpkg-deb --show --showformat='${Package} ${Version} ${Installed-Size} ${Provides}\n' "$deb" \
    >>"$sysroot/DEBIAN/packages"
done
