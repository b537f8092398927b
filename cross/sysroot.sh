#!/usr/bin/env bash
# Makes the sysroot of a processor: the headers and libraries of Debian's packages that edgehose and
# its tests are built with, unpacked into a folder. Nothing of this machine is changed, and nothing
# of the sysroot is run.
#   sysroot.sh ARCH           of one of toolchains/; prints the folder
#   sysroot.sh ARCH --again   anew, with the packages of today
# The folder is ${EDGEHOSE_SYSROOTS:-~/.cache/edgehose/sysroots}/ARCH; 330 MB, a minute to make.
# Where the packages come from: mirror.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

source "$here/arch.sh"
processor "${1:-}"

sysroots=${EDGEHOSE_SYSROOTS:-$HOME/.cache/edgehose/sysroots}
sysroot=$sysroots/$arch
# What it holds is named in it: with other packages it is made anew. 2: with what packages provide.
packages="libc6-dev libstdc++-$gcc-dev linux-libc-dev $(bash "$here/install-deps.sh" --print-libraries)"
wanted="2 $suite $packages"
if [ "${2:-}" != --again ] && [ "$(cat "$sysroot/.holds" 2>/dev/null)" = "$wanted" ]; then
  echo "$sysroot"
  exit 0
fi
command -v mmdebstrap >/dev/null || {
  echo "sysroot: mmdebstrap is missing: bash cross/install-deps.sh --cross" >&2
  exit 1
}

mirror=$(bash "$here/mirror.sh")

mkdir -p "$sysroots"
new=$(mktemp -d "$sysroots/.$arch.XXXXXX")
trap 'rm -rf "$new"' EXIT
echo "sysroot: unpacking Debian's packages for $arch into $sysroot" >&2
mmdebstrap --variant=extract --skip=cleanup/apt --architectures="$arch" --include="${packages// /,}" \
  --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr "$suite" "$new/root" "$mirror" \
  >"$new/log" 2>&1 || {
  tail -n 20 "$new/log" >&2
  echo "sysroot: mmdebstrap failed for $arch; its last lines are above" >&2
  exit 1
}
# A link to /lib/... would lead into this machine: it is made to stay within.
while IFS= read -r link; do
  ln -sfnr "$new/root$(readlink "$link")" "$link"
done < <(find "$new/root/usr" -lname '/*')
# What a Debian package of the program will depend on is told by these packages' own control files.
bash "$here/debian/keep-symbols.sh" "$new/root"
rm -rf "$new/root/usr/share/doc" "$new/root/dev" "$new/root/var/cache/apt" "$new/root/var/lib/apt"
echo "$wanted" >"$new/root/.holds"
rm -rf "$sysroot"
mv "$new/root" "$sysroot"
echo "$sysroot"
