"""The machine's disk: a minimal system of systems.py, made by mmdebstrap; what the test has to have in it (guest/);
and edgehose, installed from its package or from the archive of the static build, or without either put there by hand,
as the README says.

The root without edgehose is made once and kept in $XDG_CACHE_HOME/edgehose-tests (~/.cache/edgehose-tests).
It takes half a minute; for another architecture, whose programs run under qemu-user, some minutes.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "support"))
import debian  # noqa: E402
from agent import Failed  # noqa: E402
from systems import SYSTEMS  # noqa: E402

DISK_SIZE = "3G"
# Only what the initial RAM disk has to have: less to unpack at each boot.
HOOK = ('mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d" && '
        'echo MODULES=list > "$1/etc/initramfs-tools/conf.d/vm" && '
        'printf "virtio_pci\\nvirtio_blk\\next4\\n" > "$1/usr/share/initramfs-tools/modules.d/vm"')
# Debian's packages rotate once a day; here the test alone says when. The rest only takes time to boot.
MASKED = ["logrotate.timer", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
          "fstrim.timer", "e2scrub_reap.service", "getty.target", "systemd-logind.service", "systemd-binfmt.service",
          "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-user-sessions.service",
          "systemd-random-seed.service", "systemd-sysusers.service", "systemd-modules-load.service",
          "kmod-static-nodes.service", "modprobe@.service", "dbus.service", "dbus.socket",
          "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
          "sys-kernel-config.mount", "sys-fs-fuse-connections.mount"]

GUEST_FILES = {
    "guest/control.sh": "opt/vm/control.sh",
    "guest/write_lines.py": "opt/vm/write_lines.py",
    "lines.py": "opt/vm/lines.py",
    "guest/control.service": "etc/systemd/system/control.service",
    "guest/app.service": "etc/systemd/system/app.service",
    "guest/epoch.service": "etc/systemd/system/epoch.service",
    "guest/logrotate-create": "opt/vm/logrotate-create",
    "guest/logrotate-copytruncate": "opt/vm/logrotate-copytruncate",
}
GUEST_TEXTS = {
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/hostname": "gateway\n",
    "etc/hosts": "127.0.0.1 localhost\n10.0.2.2 host\n",
    # The host is 10.0.2.2 on qemu's user network.
    "etc/systemd/network/10-user.network": "[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\n"
                                           "Gateway=10.0.2.2\n",
    # What is not synced is written soon: more of it is under way when the power is cut.
    "etc/sysctl.d/90-vm.conf": "vm.dirty_writeback_centisecs = 20\nvm.dirty_expire_centisecs = 50\n",
    # Of the devices only those that the test has, not a hundred terminals.
    "etc/systemd/system/systemd-udev-trigger.service.d/vm.conf":
        "[Service]\nExecStart=\nExecStart=udevadm trigger --type=devices --action=add --subsystem-match=virtio "
        "--subsystem-match=virtio-ports --subsystem-match=block --subsystem-match=net\n",
    # On a busy host an emulated machine takes minutes to start it; a device has the unit's five.
    "etc/systemd/system/edgehose.service.d/vm.conf": "[Service]\nReadWritePaths=/srv/archive\nTimeoutStartSec=10min\n",
}


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def base(system, arch):
    """The tar of the root without edgehose."""
    return debian.tarball("vm", arch, [package.format(arch=arch) for package in system.packages],
                          f"--essential-hook={HOOK}", suite=system.suite, sources=system.sources)


class Image:
    """`disk`: raw, one ext4 file system. `kernel` and `initrd` are those of its root."""

    def __init__(self, folder, system, arch):
        self.system, self.arch, self.folder = system, arch, Path(folder)
        self.disk, self.kernel, self.initrd = (self.folder / name for name in ("disk.img", "vmlinuz", "initrd.img"))

    def copy_to(self, path):
        run("cp", "--sparse=always", "--reflink=auto", self.disk, path)
        return path


def make(folder, system, arch, package=None, archive=None, binary=None):
    """An image in `folder` of one of SYSTEMS. `package` is installed, and under a higher version it lies in it as
    /opt/vm/upgrade.deb; `archive` is installed, and stays in /opt/vm; `binary` and the unit are put where the README
    puts them."""
    image, root = Image(folder, SYSTEMS[system], arch), Path(folder) / "root"
    root.mkdir(parents=True)
    run("tar", "-xf", base(image.system, arch), "-C", root)
    for kind, target in (("vmlinuz", image.kernel), ("initrd.img", image.initrd)):
        shutil.copy(max((root / "boot").glob(f"{kind}-*")), target)
    furnish(root)
    if package:
        install(root, arch, package)
    elif archive:
        install_archive(root, arch, archive)
    else:
        install_by_hand(root, binary)
    run("mkfs.ext4", "-q", "-F", "-d", root, image.disk, DISK_SIZE)
    shutil.rmtree(root)
    return image


def furnish(root):
    for source, target in GUEST_FILES.items():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / source, root / target)
    for target, text in GUEST_TEXTS.items():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / target).write_text(text)
    for folder in ("var/log/app", "var/log/journal", "srv/archive"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for unit in ("control.service", "epoch.service", "systemd-networkd.service"):
        enable(root, unit)
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")


def enable(root, unit):
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    place = "/etc/systemd/system" if (root / "etc/systemd/system" / unit).exists() else "/lib/systemd/system"
    link = wants / unit
    if not os.path.lexists(link):
        link.symlink_to(f"{place}/{unit}")


def install(root, arch, package):
    target = root / "opt/vm/edgehose.deb"
    shutil.copy(package, target)
    debian.let_run(arch)
    run("chroot", root, "dpkg", "--install", "/opt/vm/edgehose.deb")
    target.unlink()
    # Here: unpacked and packed again under emulation it would take minutes.
    with tempfile.TemporaryDirectory() as unpacked:
        run("dpkg-deb", "--raw-extract", package, unpacked)
        control = Path(unpacked) / "DEBIAN/control"
        control.write_text(re.sub(r"^(Version: .*)$", r"\1+upgrade", control.read_text(), flags=re.M))
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", unpacked, root / "opt/vm/upgrade.deb")


def install_archive(root, arch, archive):
    run("tar", "-xf", archive, "-C", root / "opt/vm")
    debian.let_run(arch)
    script, = (root / "opt/vm").glob("edgehose-*/install.sh")
    run("chroot", root, f"/{script.relative_to(root)}")


def install_by_hand(root, binary):
    target = root / "usr/bin/edgehose"
    shutil.copy(binary, target)
    target.chmod(0o755)
    shutil.copy(ROOT / "systemd/edgehose.service", root / "etc/systemd/system/edgehose.service")
    run("useradd", "--prefix", root, "--system", "--no-create-home", "--groups", "adm,systemd-journal", "edgehose")
    (root / "etc/edgehose").mkdir()
    shutil.copytree(ROOT / "systemd/drop-ins", root / "usr/share/edgehose/drop-ins")
