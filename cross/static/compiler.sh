#!/usr/bin/env bash
# Installs the pinned compiler and writes cc, c++, ar and ranlib for one architecture.
#   compiler.sh ARCH
# The compiler is zig's clang with musl and libc++, from PyPI, in a venv under the cache (targets.sh).
set -euo pipefail
source "$(dirname "$(realpath "$0")")/targets.sh"
target "${1:?usage: compiler.sh ARCH}"
layout "$1"

if [ ! -e "$venv/installed" ]; then
  echo "  compiler: zig $ziglang from PyPI"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "ziglang==$ziglang"
  touch "$venv/installed"
fi
program=$(echo "$venv"/lib/python3*/site-packages/ziglang/zig)

# zig keeps a C and a C++ library for each set of flags that programs are linked with: here there is one.
# It makes them as the link says: with -Os its memcpy copies byte by byte, at 1.3 GB/s.
# Its default for unoptimised C is the undefined-behaviour sanitizer with traps, which old C meets.
mkdir -p "$tools"
for driver in cc c++; do
  cat >"$tools/$driver" <<SH
#!/bin/sh
# $driver for $zig
export ZIG_GLOBAL_CACHE_DIR='$cache/zig-cache' ZIG_LOCAL_CACHE_DIR='$cache/zig-cache'
link='-static -O2 -s' headers=
[ "\$*" = -v ] && link=
for word; do case \$word in -c|-E|-S|-M|-MM|--version) link= ;; -emit-pch) headers=yes ;; esac; done
# CMake's way to precompile headers, said in the one that zig knows.
[ -z "\$headers" ] || for word; do
  shift
  case \$word in -c) ;; -emit-pch) set -- "\$@" -fno-pch-timestamp ;; *) set -- "\$@" "\$word" ;; esac
done
exec '$program' $driver -target $zig -mcpu=$cpu -fno-sanitize=undefined -g0 "\$@" \$link
SH
done
for tool in ar ranlib; do
  printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$program" $tool >"$tools/$tool"
done
chmod +x "$tools"/*
