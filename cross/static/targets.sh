# shellcheck shell=bash
# For the scripts here, sourced: what each architecture is called by whom, and how a build is laid out.
#   target ARCH   sets zig (target), cpu (the least that is needed), openssl (Configure's target),
#                 processor (CMake's name), qemu (of qemu-PROCESSOR-static), qemu_cpu (which
#                 of them qemu is to be: the least that will do, on ARMs of 32 bits)
#   layout ARCH   sets cache, sources, venv, here (of ARCH), prefix, tools
#   usage WORD    prints the head of the script that sources this, and ends it: with 0 for --help, else with 2
#   build_jobs    how many compilers run side by side
#   errors_of LOG prints what went wrong in the output of a build

architectures=(amd64 arm64 armhf armv6 riscv64)

# The compiler, pinned.
ziglang=0.17.1

# Libraries that are headers alone, of Debian's packages.
header_packages=(libboost1.74-dev nlohmann-json3-dev libtomlplusplus-dev libexpected-dev)

target() {
  # Of ARMv7, zig takes NEON for granted, which some of its processors do not have.
  local armv7=generic+v7a-neon-d32-vfp3-vfp3sp+vfp3d16
  case $1 in
    amd64)   zig=x86_64-linux-musl       cpu=baseline          openssl=linux-x86_64     processor=x86_64  qemu=x86_64 ;;
    arm64)   zig=aarch64-linux-musl      cpu=generic           openssl=linux-aarch64    processor=aarch64 qemu=aarch64 ;;
    armhf)   zig=arm-linux-musleabihf    cpu=$armv7              openssl=linux-armv4      processor=armv7l  qemu=arm ;;
    armv6)   zig=arm-linux-musleabihf    cpu=arm1176jzf_s      openssl=linux-armv4      processor=armv6l  qemu=arm ;;
    riscv64) zig=riscv64-linux-musl      cpu=baseline_rv64     openssl=linux64-riscv64  processor=riscv64 qemu=riscv64 ;;
    *) echo "$(basename "$0"): '$1' is no architecture of the static build; there are: ${architectures[*]}" >&2
       return 2 ;;
  esac
  case $1 in
    armhf) qemu_cpu=cortex-a8,neon=off ;;
    armv6) qemu_cpu=arm1176 ;;
    riscv64) qemu_cpu=rv64 ;;
    *) qemu_cpu=max ;;
  esac
}

layout() {
  cache=${EDGEHOSE_STATIC_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/edgehose/static}
  sources=$cache/sources
  venv=$cache/zig-$ziglang
  here=$cache/$1
  prefix=$here/prefix  # what is linked: include/, lib/
  tools=$here/bin      # cc, c++, ar, ranlib for ARCH
}

usage() {
  sed -n '2,/^[^#]/s/^#\( \|$\)//p' "$0"
  [ "$1" = --help ] && exit 0
  exit 2
}

build_jobs() { echo "${EDGEHOSE_STATIC_JOBS:-$(nproc)}"; }

errors_of() {
  local errors
  errors=$(grep -E '[Ee]rror[: ]|\*\*\* ' -A 3 "$1" || tail -n 10 "$1")
  cut -c 1-300 <<<"$errors" | sed -n 1,40p
}
