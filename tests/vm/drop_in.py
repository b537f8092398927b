"""A directory sink on a medium below /media, for which the unit has the drop-in media.conf: the medium is pulled out
under load, and put in again.

The medium is an ext4 file system in a file of the machine's disk, on a loop device.
"""
from gateway import told, wait

PLACE, MEDIUM = "/media/stick", "/var/medium.img"
MAKE = (f"modprobe loop && truncate -s 64M {MEDIUM} && "
        f"mkfs.ext4 -q -E root_owner=$(id -u edgehose):$(id -g edgehose) {MEDIUM} && "
        f"losetup --find --show {MEDIUM} > /run/medium")
PUT_IN = f"mkdir -p {PLACE} && mount $(cat /run/medium) {PLACE}"
# As systemd/README.md has it.
DROP_IN = ("install -D -m 644 -t /etc/systemd/system/edgehose.service.d /usr/share/edgehose/drop-ins/media.conf && "
           "systemctl daemon-reload && systemctl restart edgehose")
# Each with what it leaves below /media. Unmounted by somebody who waits until nothing is open; and as desktops do after
# a medium has vanished: what is open stays so, the mount point is removed.
PULLS = ((f"for i in $(seq 300); do umount {PLACE} && exit; sleep 0.1; done; exit 1", PLACE),
         (f"umount --lazy {PLACE} && rmdir {PLACE}", ""))
OUT_SECONDS = 12  # the sink looks every 5 s


def drop_in(run):
    """A medium that the unit may not write to gets its drop-in, is pulled out under load and put in again, twice."""
    gateway = run.boot(archive=PLACE, medium=MEDIUM)
    machine = gateway.machine
    machine.run(f"{MAKE} && {PUT_IN} && systemctl restart edgehose")
    gateway.write(run.rate)
    reasons = gateway.told_and_mended("^sink archive is parked.*Read-only file system", "^sink archive", DROP_IN)
    for pull, left in PULLS:
        wait(run.rng.uniform(3, 8))
        machine.run(pull)
        reasons += gateway.told_and_mended(
            "^sink archive is parked.*(on another file system|is not there)", "^sink archive",
            f"sleep {OUT_SECONDS}; [ \"$(find /media -mindepth 1)\" = '{left}' ] && {PUT_IN}")
    wait(3)
    gateway.settle()
    machine.run(f"[ -z \"$(find {PLACE} -type f ! -perm -o=r)\" ]")  # others may read what it wrote
    return "; ".join([*(f'"{reason[:110]}"' for reason in reasons), told(gateway.count())])
