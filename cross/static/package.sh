#!/usr/bin/env bash
# Packs a static edgehose with what an installation needs.
#   package.sh ARCH PROGRAM DIR    makes DIR/edgehose-VERSION-linux-ARCH.tar.gz
# The same files give the same bytes. With GENERATED=DIR in the environment its man/ and completions/ go in.
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
# The unit, its drop-ins and the pages that explain them.
(cd "$root/systemd" && find . -name '*.service' -o -name '*.conf' -o -name '*.md') | while read -r file; do
  install -D -m 644 "$root/systemd/$file" "$top/systemd/$file"
done
for part in man completions; do
  [ -d "${GENERATED:-/nonexistent}/$part" ] && cp -r "$GENERATED/$part" "$top/$part"
done

install -m 644 "$root/LICENSE" "$top/LICENSE"
while read -r library _; do
  [ "$library" = mimalloc ] && [ ! -e "$here/done/mimalloc" ] && continue
  install -m 644 "$sources/$library/copyright" "$top/licences/$library"
done <"$sources/versions"
for package in nlohmann-json3-dev libtomlplusplus-dev libexpected-dev; do
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
} >"$top/licences/VERSIONS"

tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" -C "$stage" -c "$name" |
  gzip -9n >"$output/$name.tar.gz.new"
mv "$output/$name.tar.gz.new" "$output/$name.tar.gz"
printf '  %s: %s bytes, packed %s: %s\n' "$arch" "$(stat -c %s "$program")" "$(stat -c %s "$output/$name.tar.gz")" \
  "$output/$name.tar.gz"
