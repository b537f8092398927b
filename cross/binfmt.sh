#!/usr/bin/env bash
# Has this machine's kernel run programs of another processor by their name, under qemu-user (binfmt_misc): installing
# packages for one takes that, and so does a program that starts itself anew. It lasts until the machine starts again.
#   binfmt.sh QEMU    qemu's name of the processor: aarch64, arm, riscv64
# As root. Exit code 1: it cannot, and says why.
set -euo pipefail
formats=/proc/sys/fs/binfmt_misc
rule=/usr/lib/binfmt.d/qemu-${1:?binfmt.sh QEMU}.conf

cannot() { echo "binfmt: $1" >&2; exit 1; }
[ -e $formats/register ] || mount -t binfmt_misc none $formats 2>/dev/null || cannot "binfmt_misc cannot be mounted: root may"
[ -e "$formats/qemu-$1" ] && exit
[ -e "$rule" ] || cannot "$rule is not there: bash cross/install-deps.sh --cross"
{ tr -d '\n' <"$rule" >$formats/register; } 2>/dev/null || cannot "the kernel does not take the rule of $rule"
