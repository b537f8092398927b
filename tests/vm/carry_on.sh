#!/usr/bin/env bash
# Carries on, on the host, with a disk that lost its power:
#   carry_on.sh DISK PLACE LOG RUN LINES -- OPTION...
# Replays the file system's journal as a boot does, mounts it at PLACE, lets the program that logs end its torn line
# and write LINES lines of RUN to LOG, and then the disk's own agent run once in a chroot on it, with the options, and
# look through its buffer. In namespaces of its own: what it mounts and starts ends with it.
set -euo pipefail
if [ "${CARRY_ON:-}" != inside ]; then
  e2fsck -p "$1" || [ $? -eq 1 ] # 1: it was put right
  CARRY_ON=inside exec unshare --mount --uts --pid --fork --kill-child bash "$0" "$@"
fi
disk=$1 place=$2 log=$3 run=$4 lines=$5
shift 6

mount -o loop "$disk" "$place"
mount -t proc proc "$place/proc"
mount --bind /dev "$place/dev"
# No /sys: the host's network card would tell the agent that its disk was moved to another machine.
mount -t tmpfs tmpfs "$place/run"
cp "$place/etc/hostname" /proc/sys/kernel/hostname # documents name it
install -d -m 755 -o "$(stat -c %u "$place/var/lib/edgehose")" "$place/run/edgehose"

vm=$(dirname "$0")
[ -e "$place$log" ] || chroot "$place" install -m 640 -g adm /dev/null "$log" # the cut took it
PYTHONPATH=$vm python3 "$vm/guest/write_lines.py" --file "$place$log" --run "$run" --rate 1000000 --lines "$lines"
agent() { chroot --userspec=edgehose: "$place" /usr/bin/edgehose "$@" 2>&1; }
agent run --once --timeout 2m "$@"
agent buffer verify
umount "$place/run" "$place/dev" "$place/proc" "$place"
