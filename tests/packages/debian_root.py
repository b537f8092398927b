#!/usr/bin/env python3
"""A throw-away Debian 12 to install the package into: unpacked for each test from a tarball that
mmdebstrap makes once. It is entered with chroot and not booted.

    EDGEHOSE_PACKAGES=DIRECTORY debian_root.py     makes the tarball, where it is not there yet

The tarball holds what the package of that directory depends on, so that a test needs no network.
Where it comes from and stays: ../support/debian.py. Needs root: for chroot, and for files of other
owners.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import debian  # noqa: E402
from install import CannotInstall  # noqa: E402

# What a Debian 12 has beside the package's own dependencies, and what the tests look with.
SYSTEM = ["systemd", "init-system-helpers", "bash-completion", "man-db"]
SKIPPED = 77  # ctest's word for it


def package():
    """The .deb to be tested: the one in $EDGEHOSE_PACKAGES."""
    debs = sorted(Path(os.environ["EDGEHOSE_PACKAGES"]).glob("edgehose_*.deb"))
    if len(debs) != 1:
        raise SystemExit(f"{len(debs)} packages in {os.environ['EDGEHOSE_PACKAGES']}, not one")
    return debs[0]


def field(deb, name):
    return output("dpkg-deb", "--field", deb, name).strip()


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def tarball():
    """Where it is, made if need be; or CannotInstall."""
    if os.geteuid() != 0:
        raise CannotInstall("needs chroot: run as root")
    deb = package()
    architecture = field(deb, "Architecture")
    if architecture != output("dpkg", "--print-architecture").strip():
        raise CannotInstall(f"{deb.name} is for {architecture}, which this machine is not")
    names = SYSTEM + re.findall(r"(?:^|, )([a-z0-9.+-]+)", field(deb, "Depends"))
    return debian.tarball("debian", architecture, names,
                          "--aptopt=Apt::Install-Recommends false", "--dpkgopt=force-unsafe-io")


class Root:
    """One unpacked Debian. `run` is within it."""

    def __init__(self, archive):
        self.path = Path(tempfile.mkdtemp(prefix="edgehose-root."))
        subprocess.run(["tar", "-xf", archive, "-C", self.path], check=True)

    def remove(self):
        shutil.rmtree(self.path)

    def __truediv__(self, path):
        return self.path / str(path).lstrip("/")

    def run(self, *command, code=0):
        """What it says on both outputs. Another exit code than `code` is an error."""
        done = subprocess.run(
            ["chroot", self.path, *command], text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                 "LC_ALL": "C.UTF-8", "HOME": "/root"})
        if done.returncode != code:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}, not {code}:\n"
                                 f"{done.stdout}")
        return done.stdout

    def install(self, deb):
        """As a user does it. A config that was changed is kept."""
        shutil.copy(deb, self / "/root/edgehose.deb")
        return self.run("apt-get", "install", "--yes", "--no-install-recommends",
                        "-oDpkg::Options::=--force-confold", "/root/edgehose.deb")

    def owner(self, path):
        """"edgehose:edgehose 750", by the names of this root."""
        return self.run("stat", "--format=%U:%G %a", path).strip()


def main():
    try:
        print(tarball())
    except CannotInstall as why:
        print(f"skipped: {why}")
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
