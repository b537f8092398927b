# The processors that edgehose is built for, sourced: those that have a file in toolchains/.
toolchains=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/toolchains

# processors: their names, in Debian's words.
processors() { sed -n 's/^set(debian_arch \(.*\))$/\1/p' "$toolchains"/*.cmake; }

# toolchain_says ARCH WORD: what its file sets triplet or qemu to.
toolchain_says() { sed -n "s/^set($2 \(.*\))\$/\1/p" "$toolchains/$1.cmake"; }

# processor ARCH sets
#   arch, triplet, qemu   as its toolchain file does
#   machine               readelf's name of it
#   suite, gcc            the Debian that its libraries are of, and that one's compiler
# Anything else ends the script, with exit code 2.
processor() {
  arch=${1:-}
  local script
  script=$(basename "$0" .sh)
  processors | grep -qxF -e "$arch" ||
    { echo "$script: \"$arch\" is not one of $(processors | paste -sd, | sed 's/,/, /g')" >&2; exit 2; }
  suite=bookworm gcc=12
  case $arch in
    amd64) machine='Advanced Micro Devices X86-64' ;;
    arm64) machine=AArch64 ;;
    armhf) machine=ARM ;;
    riscv64) machine=RISC-V suite=trixie gcc=14 ;; # there is no Debian 12 for it
    *) echo "$script: $arch has a toolchain file, and no line in cross/arch.sh" >&2; exit 2 ;;
  esac
  triplet=$(toolchain_says "$arch" triplet) qemu=$(toolchain_says "$arch" qemu)
}
