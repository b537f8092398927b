#!/usr/bin/env python3
"""A throw-away Debian 12 to install the package into: unpacked for each test from a tarball that
mmdebstrap makes once. It is entered with chroot and not booted.

    EDGEHOSE_PACKAGES=DIRECTORY debian_root.py     makes the tarball, where it is not there yet

The tarball holds what the package of that directory depends on, so that a test needs no network.
It stays in $XDG_CACHE_HOME/edgehose-tests or ~/.cache/edgehose-tests, under the name of what is in
it. Needs root: for chroot, and for files of other owners.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgehose-tests"
SUITE = "bookworm"
# What a Debian 12 has beside the package's own dependencies, and what the tests look with.
SYSTEM = ["systemd", "init-system-helpers", "bash-completion", "man-db"]
SKIPPED = 77  # ctest's word for it


class Missing(Exception):
    """Why there is no root."""


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
    """Where it is, made if need be; or Missing."""
    if os.geteuid() != 0:
        raise Missing("needs chroot: run as root")
    deb = package()
    architecture = field(deb, "Architecture")
    if architecture != output("dpkg", "--print-architecture").strip():
        raise Missing(f"{deb.name} is for {architecture}, which this machine is not")
    if not shutil.which("mmdebstrap"):
        raise Missing("no mmdebstrap: bash cross/install-deps.sh --packages")
    names = SYSTEM + re.findall(r"(?:^|, )([a-z0-9.+-]+)", field(deb, "Depends"))
    version = hashlib.sha256(f"{SUITE} {architecture} {sorted(names)}".encode()).hexdigest()[:12]
    path = CACHE / f"debian-{version}.tar"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        make(path, names)
    return path


def make(path, names):
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        new = Path(folder) / "root.tar"
        # In a mount namespace of its own: what it mounts is nobody else's, and cannot stay behind.
        done = subprocess.run(
            ["unshare", "--mount", "mmdebstrap", "--variant=minbase", f"--include={','.join(names)}",
             "--aptopt=Apt::Install-Recommends false", "--dpkgopt=force-unsafe-io", SUITE, new],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Missing(f"mmdebstrap failed: {done.stdout[-2000:]}")
        new.rename(path)


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
    except Missing as why:
        print(f"skipped: {why}")
        return 1 if os.environ.get("CI") == "true" else SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
