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

# Links are folded where -Wl,--icf says so, as gold does it; zig's driver refuses that, its linker does not.
# zig keeps a C and a C++ library for each set of flags that programs are linked with: here there is one.
# It makes them as the link says: with -Os its memcpy copies byte by byte, at 1.3 GB/s; for LTO, which they are not
# with -fno-lto, the linker refuses them beside what says which virtual functions are called. Ours it knows itself.
# Its default for unoptimised C is the undefined-behaviour sanitizer with traps, which old C meets.
# Nothing is thrown through C, so its functions need no tables for that: a tenth of OpenSSL. Of C++ those do that
# can throw. C++ is optimised as one program: what cannot throw, and is not needed, virtual functions among it,
# shows itself then.
mkdir -p "$tools"
for driver in cc c++; do
  flags='-fno-sanitize=undefined -g0 -fno-pic -fomit-frame-pointer'
  if [ $driver = c++ ]; then
    flags+=' -flto -fvisibility=hidden -fwhole-program-vtables -fvirtual-function-elimination'
    flags+=' -Xclang -funwind-tables=0'
  else
    flags+=' -fno-unwind-tables -fno-asynchronous-unwind-tables'
  fi
  cat >"$tools/$driver" <<SH
#!/bin/sh
# $driver for $zig
export ZIG_GLOBAL_CACHE_DIR='$cache/zig-cache' ZIG_LOCAL_CACHE_DIR='$cache/zig-cache'
link='-static -O2 -s -fno-lto -fno-whole-program-vtables -fno-virtual-function-elimination' headers= fold= speed=
[ "\$*" = -v ] && link=
for word; do case \$word in
  -c|-E|-S|-M|-MM|--version) link= ;;
  -emit-pch) headers=yes ;;
  -Wl,--icf=*) fold=\${word#-Wl,} ;;
  -O*) speed=\$word ;;
esac; done
# What zig has other words for: CMake's way to precompile headers, to fold functions, and -Os, which is clang's -Oz.
for word; do
  shift
  case \$word in
    -c) [ -n "\$headers" ] || set -- "\$@" -c ;;
    -emit-pch) set -- "\$@" -fno-pch-timestamp ;;
    -Wl,--icf=*|-fuse-ld=*) ;;
    *) set -- "\$@" "\$word" ;;
  esac
done
[ "\$speed\$link" != -Os ] || set -- "\$@" -Xclang -Oz
zig() { exec '$program' $driver -target $zig -mcpu=$cpu $flags "\$@"; }
[ -n "\$link" ] && [ -n "\$fold" ] || zig "\$@" \$link

# zig links an empty program and says how; its linker is told the same of what is to be linked, and to fold.
output=a.out inputs= before=
for word; do
  shift
  case \$before\$word in
    -o) ;;
    -o*) output=\$word ;;
    -ldl|-lm|-lpthread|-lrt) ;;
    -l*|-L*|[!-]*) inputs="\$inputs \$word" ;;
    *) set -- "\$@" "\$word" ;;
  esac
  [ "\$word" = -o ] && before=-o || before=
done
said=\$(zig -v "\$@" '$tools/empty.o' -o "\$output.empty" \$link 2>&1) || { printf '%s\n' "\$said" >&2; exit 1; }
rm -f "\$output.empty"
# It would warn of objects that do not say whose addresses count: all of theirs do.
exec '$program' ld.lld "\$fold" --lto-whole-program-visibility --no-warnings \$(printf '%s\n' "\$said" |
  sed -n 's/^ld\.lld //p' | tail -n 1 | sed "s# $tools/empty\.o # \$inputs #; s# -o [^ ]* # -o \$output #")
SH
done
for tool in ar ranlib; do
  printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$program" $tool >"$tools/$tool"
done
chmod +x "$tools"/*
echo 'int main() {}' | "$tools/c++" -x c++ -c - -o "$tools/empty.o"
