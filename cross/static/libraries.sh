#!/usr/bin/env bash
# Builds the libraries that edgehose links, static, for one architecture, into its prefix (targets.sh).
#   libraries.sh ARCH [LIBRARY...]     all of them by default; each is a file of libraries/
# A library is left alone where it was built from the same source by the same scripts, upon the same others.
# What is for speed (compression, checksums) is -O2 or what its authors ask for, the rest -Os.
set -euo pipefail
scripts=$(dirname "$(realpath "$0")")
source "$scripts/targets.sh"
arch=${1:?usage: libraries.sh ARCH [LIBRARY...]}
shift
target "$arch"
layout "$arch"
jobs=$(build_jobs)
mkdir -p "$prefix/include" "$prefix/lib/pkgconfig" "$here/done" "$here/log"
# Two builds of one architecture would take each other's files away.
exec 9>"$here/lock"
flock --nonblock 9 || { echo "  $arch: waiting for another build of it to end"; flock 9; }
export CC=$tools/cc CXX=$tools/c++ AR=$tools/ar RANLIB=$tools/ranlib
declare -A upon=([boost]=headers [spdlog]=fmtlib [curl]=openssl)  # what is included while it is built

# Of everything that decides what comes out of building $library.
fingerprint() {
  {
    cat "$scripts/libraries/$library.sh" "$scripts/recipe.sh" "$scripts/compiler.sh"
    ! grep -q cmake_library "$scripts/libraries/$library.sh" || cat "$scripts/zig.cmake"
    echo "$ziglang $zig $cpu $openssl"
    case $library in
      headers) dpkg-query -W "${header_packages[@]}" ;;
      libcxx) ;;
      own) cat "$scripts"/own/*.c* ;;
      *) grep "^${library}[0-9.]* " "$sources/versions" ;;
    esac
    [ -z "${upon[$library]:-}" ] || cat "$here/done/${upon[$library]}"
  } | sha256sum
}

libraries=("$@")
[ ${#libraries[@]} -gt 0 ] ||
  libraries=(libcxx own headers mimalloc zlib libzstd lmdb libdeflate simdjson fmtlib spdlog boost openssl curl)
for library in "${libraries[@]}"; do
  [ -e "$scripts/libraries/$library.sh" ] || { echo "libraries: there is no libraries/$library.sh" >&2; exit 2; }
  made_of=$(fingerprint)
  [ "$(cat "$here/done/$library" 2>/dev/null)" = "$made_of" ] && continue
  tree=$sources/$(sed -n "s/^\(${library}[0-9.]*\) .*/\1/p" "$sources/versions")
  build=$here/build-$library log=$here/log/$library
  rm -rf "$build"
  mkdir -p "$build"
  SECONDS=0
  printf '  %s: %s ... ' "$arch" "$library"
  # A shell of its own, as "set -e" means nothing in what "||" or "if" looks at.
  set +e
  # shellcheck source=/dev/null
  (set -e; source "$scripts/recipe.sh"; source "$scripts/libraries/$library.sh") >"$log" 2>&1
  code=$?
  set -e
  [ $code -eq 0 ] || { echo "failed"; errors_of "$log" >&2
    echo "libraries: $library could not be built for $arch; all of its output: $log" >&2; exit 1; }
  echo "$made_of" >"$here/done/$library"
  echo "$SECONDS s"
  rm -rf "$build"
done
