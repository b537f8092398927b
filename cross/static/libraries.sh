#!/usr/bin/env bash
# Builds the libraries that edgehose links, static, for one architecture, into its prefix (targets.sh).
#   libraries.sh ARCH [LIBRARY...]     all of them by default
# A library that was built from the same source by the same text of this script is left alone.
# What is for speed (compression, checksums) is -O2 or what its authors ask for, the rest -Os.
set -euo pipefail
source "$(dirname "$(realpath "$0")")/targets.sh"
arch=${1:?usage: libraries.sh ARCH [LIBRARY...]}
shift
target "$arch"
layout "$arch"
jobs=${EDGEHOSE_STATIC_JOBS:-$(nproc)}
mkdir -p "$prefix/include" "$prefix/lib/pkgconfig" "$here/done" "$here/log"
export CC=$tools/cc CXX=$tools/c++ AR=$tools/ar RANLIB=$tools/ranlib

# archive NAME FLAGS... -- FILE...: compiles each file and makes lib/libNAME.a of them.
archive() {
  local name=$1 flags=() objects=$build/objects
  shift
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  shift
  mkdir -p "$objects"
  printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" "$BASH" -c '
    objects=$0 source=${!#} tool=$CC
    case $source in *.cpp | *.cc) tool=$CXX ;; esac
    object=$(basename "$(dirname "$source")")-$(basename "$source").o  # two may have one name
    exec "$tool" -ffunction-sections -fdata-sections -c "${@:1:$#-1}" "$source" -o "$objects/$object"
  ' "$objects" "${flags[@]}"
  rm -f "$prefix/lib/lib$name.a"
  "$AR" rcs "$prefix/lib/lib$name.a" "$objects"/*.o
}

# package NAME VERSION: what pkg-config is asked for.
package() {
  printf 'Name: %s\nDescription: static\nVersion: %s\nLibs: -L%s/lib -l%s\nCflags: -I%s/include\n' \
    "$1" "$2" "$prefix" "${1#lib}" "$prefix" >"$prefix/lib/pkgconfig/$1.pc"
}

version() { sed -n "s/^$1 \([0-9]*:\)\{0,1\}\([0-9.]*[0-9]\).*/\2/p" "$sources/versions"; }

# cmake_library NAME OPTION...: for those whose package files for CMake are needed.
cmake_library() {
  local name=$1
  shift
  EDGEHOSE_STATIC_ARCH=$arch EDGEHOSE_STATIC_CACHE=$cache cmake -S "$sources/$name" -B "$build" -G Ninja \
    -DCMAKE_TOOLCHAIN_FILE="$scripts/zig.cmake" -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF "$@"
  ninja -C "$build" -j "$jobs" install
}

build_zlib() {
  archive z -O2 -D_LARGEFILE64_SOURCE=1 -DHAVE_UNISTD_H -DHAVE_HIDDEN -- "$sources"/zlib/*.c
  cp "$sources"/zlib/{zlib,zconf}.h "$prefix/include/"
}

build_libzstd() {
  local files=("$sources"/libzstd/lib/{common,compress,decompress}/*.c)
  [ "$arch" = amd64 ] && files+=("$sources"/libzstd/lib/decompress/huf_decompress_amd64.S)
  archive zstd -O3 -DZSTD_LEGACY_SUPPORT=0 -DXXH_NAMESPACE=ZSTD_ -- "${files[@]}"
  cp "$sources"/libzstd/lib/zstd{,_errors}.h "$prefix/include/"
  package libzstd "$(version libzstd)"
}

build_lmdb() {
  local dir=$sources/lmdb/libraries/liblmdb
  archive lmdb -O2 -- "$dir/mdb.c" "$dir/midl.c"
  cp "$dir/lmdb.h" "$prefix/include/"
}

build_libdeflate() {
  local dir=$sources/libdeflate
  archive deflate -O2 -I"$dir" -- "$dir"/lib/*.c "$dir"/lib/{arm,x86}/*.c
  cp "$dir/libdeflate.h" "$prefix/include/"
  package libdeflate "$(version libdeflate)"
}

build_simdjson() {
  local dir=$sources/simdjson
  archive simdjson -std=c++17 -O2 -DNDEBUG -DSIMDJSON_THREADS_ENABLED=1 -I"$dir/include" -I"$dir/src" -- \
    "$dir/src/simdjson.cpp"
  cp -r "$dir"/include/simdjson{,.h} "$prefix/include/"
  package simdjson "$(version simdjson)"
}

# Headers that hold no code of an architecture: as Debian's packages have them.
build_headers() {
  local package
  for package in libboost1.74-dev nlohmann-json3-dev libtomlplusplus-dev libexpected-dev; do
    dpkg -L "$package" | sed -n 's,^/usr/\(include\|share/cmake\)/,\1/,p' |
      (cd /usr && while read -r file; do [ -d "$file" ] || echo "$file"; done | tar -c -T -) | tar -x -C "$prefix"
  done
  # Boost 1.74 does not know that this C++ library has no std::unary_function any more.
  echo '#define BOOST_NO_CXX98_FUNCTION_BASE' >>"$prefix/include/boost/config/user.hpp"
}

build_boost() {
  archive boost_program_options -std=c++17 -Os -DNDEBUG -I"$prefix/include" -- \
    "$sources"/boost1.74/libs/program_options/src/[!w]*.cpp  # not winmain.cpp
}

# imported NAME TARGET LINES...: the package file that CMake's find_package(NAME) asks for, of lib/libNAME.a.
imported() {
  local name=$1
  mkdir -p "$prefix/lib/cmake/$name"
  {
    echo "add_library($name::$name STATIC IMPORTED)"
    echo "set_target_properties($name::$name PROPERTIES IMPORTED_LOCATION \"$prefix/lib/lib$name.a\""
    printf '  %s\n' "INTERFACE_INCLUDE_DIRECTORIES \"$prefix/include\"" "${@:2}" ')'
  } >"$prefix/lib/cmake/$name/$name-config.cmake"
}

build_fmtlib() {
  local dir=$sources/fmtlib
  archive fmt -std=c++20 -Os -DNDEBUG -I"$dir/include" -- "$dir"/src/{format,os}.cc
  cp -r "$dir/include/fmt" "$prefix/include/"
  imported fmt
}

build_spdlog() {
  local dir=$sources/spdlog defined=(-DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL)
  archive spdlog -std=c++20 -Os -DNDEBUG -D_LARGEFILE64_SOURCE "${defined[@]}" -I"$dir/include" -I"$prefix/include" -- \
    "$dir"/src/{spdlog,stdout_sinks,color_sinks,file_sinks,async,cfg}.cpp
  cp -r "$dir/include/spdlog" "$prefix/include/"
  imported spdlog 'INTERFACE_COMPILE_DEFINITIONS "SPDLOG_COMPILED_LIB;SPDLOG_FMT_EXTERNAL"' \
    'INTERFACE_LINK_LIBRARIES fmt::fmt'
}

# TLS 1.2 and 1.3 with what Debian's own build allows (security level 2), the ciphers of keys and buffers;
# no modules, engines or configuration from the disk of a system that this binary knows nothing about.
build_openssl() {
  local size=-Os
  [ "$arch" = riscv64 ] && size=-O2  # has no assembly there
  cd "$build"
  "$sources/openssl/Configure" "$openssl" --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl \
    no-shared no-module no-dso no-engine no-afalgeng no-legacy no-autoload-config no-async no-tests no-ui-console \
    no-comp no-cms no-cmp no-ts no-ct no-srp no-srtp no-dtls no-ssl3 no-tls1 no-tls1_1 no-weak-ssl-ciphers \
    no-aria no-bf no-blake2 no-camellia no-cast no-dsa no-ec2m no-gost no-idea no-md4 no-mdc2 no-rc2 no-rc4 no-rc5 \
    no-rmd160 no-seed no-sm2 no-sm3 no-sm4 no-whirlpool no-siphash no-scrypt no-psk \
    -DOPENSSL_TLS_SECURITY_LEVEL=2 $size -ffunction-sections -fdata-sections
  # Configure's own -O3 comes first; the last one counts.
  make -j "$jobs" build_libs
  make install_dev
}

build_curl() {
  cmake_library curl -DHTTP_ONLY=ON -DBUILD_CURL_EXE=OFF -DBUILD_TESTING=OFF -DENABLE_MANUAL=OFF \
    -DCURL_USE_OPENSSL=ON -DCURL_ZLIB=OFF -DUSE_NGHTTP2=OFF -DUSE_LIBIDN2=OFF -DCURL_USE_LIBSSH2=OFF \
    -DCURL_USE_LIBPSL=OFF -DCURL_BROTLI=OFF -DCURL_ZSTD=OFF -DENABLE_UNIX_SOCKETS=OFF \
    -DCURL_DISABLE_NTLM=ON -DCURL_DISABLE_ALTSVC=ON -DCURL_DISABLE_HSTS=ON -DCURL_DISABLE_NETRC=ON \
    -DCURL_DISABLE_DOH=ON -DCURL_DISABLE_MIME=ON -DCURL_DISABLE_GETOPTIONS=ON -DCURL_DISABLE_LIBCURL_OPTION=ON \
    -DCURL_CA_BUNDLE=none -DCURL_CA_PATH=none -DCMAKE_C_FLAGS_RELEASE="-Os -DNDEBUG -ffunction-sections -fdata-sections"
}

scripts=$(dirname "$(realpath "$0")")
libraries=("$@")
[ ${#libraries[@]} -gt 0 ] ||
  libraries=(headers zlib libzstd lmdb libdeflate simdjson fmtlib spdlog boost openssl curl)
for library in "${libraries[@]}"; do
  recipe=$({ declare -f "build_$library" archive; echo "$ziglang $zig $cpu"
             grep "^$library" "$sources/versions" || true; } | sha256sum)
  [ "$(cat "$here/done/$library" 2>/dev/null)" = "$recipe" ] && continue
  build=$here/build-$library log=$here/log/$library
  rm -rf "$build"
  mkdir -p "$build"
  SECONDS=0
  printf '  %s: %s ... ' "$arch" "$library"
  # A shell of its own, as "set -e" means nothing in what "||" or "if" looks at.
  set +e
  (set -e; "build_$library") >"$log" 2>&1
  code=$?
  set -e
  [ $code -eq 0 ] || { echo "failed"; tail -n 25 "$log" >&2
    echo "libraries: $library could not be built for $arch; all of its output: $log" >&2; exit 1; }
  echo "$recipe" >"$here/done/$library"
  echo "$SECONDS s"
  rm -rf "$build"
done
