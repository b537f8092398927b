#!/usr/bin/env bash
# Packs a static edgehose with what an installation needs.
#   package.sh ARCH PROGRAM DIR    makes DIR/edgehose-VERSION-linux-ARCH.tar.gz
# The same files give the same bytes.
set -euo pipefail
scripts=$(dirname "$(realpath "$0")")
root=$(realpath "$scripts/../..")
source "$scripts/targets.sh"
arch=${1:?usage: package.sh ARCH PROGRAM DIR} program=$2 output=$3
target "$arch"
layout "$arch"

version=$(sed -n 's/^project(edgehose VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
name=edgehose-$version-linux-$arch
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
top=$stage/$name
mkdir -p "$top"/{bin,init,licences}

install -m 755 "$program" "$top/bin/edgehose"
install -m 755 "$scripts/install.sh" "$top/install.sh"
install -m 644 "$scripts/edgehose.openrc" "$scripts/edgehose.procd" "$top/init/"
install -m 644 "$root/systemd/edgehose.service" "$top/init/"
# Below /usr/share as the Debian package has it: man pages, completions, drop-ins, what an operator reads.
mkdir -p "$top/share/edgehose/drop-ins" "$top/share/doc/edgehose"
cp -r "$here/edgehose/agent/pages/share/." "$top/share/"
install -m 644 "$root"/systemd/drop-ins/*.conf "$top/share/edgehose/drop-ins/"
gzip -9nc "$root/agent/OPERATING.md" >"$top/share/doc/edgehose/OPERATING.md.gz"

install -m 644 "$root/LICENSE" "$top/LICENSE"
while read -r library _; do
  install -m 644 "$sources/$library/copyright" "$top/licences/$library"
done <"$sources/versions"
for package in "${header_packages[@]}"; do
  install -m 644 "/usr/share/doc/$package/copyright" "$top/licences/${package%-dev}"
done
libs=$(dirname "$(echo "$venv"/lib/python3*/site-packages/ziglang/zig)")/lib
for part in libcxx libcxxabi libunwind; do
  [ -e "$libs/$part/LICENSE.TXT" ] && install -m 644 "$libs/$part/LICENSE.TXT" "$top/licences/$part"
done
[ -e "$libs/libc/musl/COPYRIGHT" ] && install -m 644 "$libs/libc/musl/COPYRIGHT" "$top/licences/musl"
{
  echo "What is linked into bin/edgehose, from Debian's source packages of these versions, and from zig $ziglang"
  echo "musl, libc++, libc++abi and libunwind:"
  cat "$sources/versions"
  echo "Headers of Debian's packages:"
  dpkg-query -W -f '${Package} ${Version}\n' "${header_packages[@]}"
} >"$top/licences/VERSIONS"

tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" -C "$stage" -c "$name" |
  gzip -9n >"$output/$name.tar.gz.new"
mv "$output/$name.tar.gz.new" "$output/$name.tar.gz"
printf '  %s: %s bytes, packed %s: %s\n' "$arch" "$(stat -c %s "$program")" "$(stat -c %s "$output/$name.tar.gz")" \
  "$output/$name.tar.gz"
