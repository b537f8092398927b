#!/usr/bin/env bash
# Prints what a program depends on, as the Depends field of a Debian package: dpkg-shlibdeps, by the
# symbols that it uses.
#   dependencies.sh PROGRAM ARCH            libraries of this machine
#   dependencies.sh PROGRAM ARCH SYSROOT    libraries of SYSROOT
# A sysroot was unpacked, not installed, so no dpkg knows its packages. To dpkg-shlibdeps it is a
# package that is being built with these libraries: keep-symbols.sh has put their control files
# where that one would have them.
set -euo pipefail
program=$(realpath "$1") arch=$2 sysroot=${3:-}

search=()
if [ -n "$sysroot" ]; then
  [ -s "$sysroot/DEBIAN/shlibs" ] || {
    echo "dependencies: $sysroot/DEBIAN/shlibs is missing: make the sysroot again (keep-symbols.sh)" >&2
    exit 1
  }
  search=("-S$sysroot")
fi

# It wants a source package around it.
around=$(mktemp -d)
trap 'rm -rf "$around"' EXIT
mkdir "$around/debian"
printf 'Source: edgehose\n\nPackage: edgehose\nArchitecture: any\n' >"$around/debian/control"
cd "$around"
DEB_HOST_ARCH=$arch dpkg-shlibdeps -O "${search[@]}" "$program" 2>"$around/said" |
  sed -n 's/^shlibs:Depends=//p' || {
  cat "$around/said" >&2
  exit 1
}
