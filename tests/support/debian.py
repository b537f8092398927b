"""Roots of Debian 12 for tests: a tarball of packages, made once by mmdebstrap and kept beside what install.py
keeps, under the name of what is in it. The packages come from the mirror that $EDGEHOSE_MIRROR names, or else
from the one that this machine's apt uses. Needs root: the files in a tarball have other owners.
"""
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from install import CACHE, CannotInstall, locked, run, tool

SUITE = "bookworm"
# What a tarball can be made for beside this machine's own; Debian's name -> the kernel's.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
FORMATS = Path("/proc/sys/fs/binfmt_misc")


def tarball(name, arch, packages, *options):
    """The root with `packages` and what they depend on, made if need be; `options` are mmdebstrap's.
    CannotInstall where it is not to be had."""
    text = "\n".join([*options, *sorted(packages)])
    path = CACHE / f"{name}-{SUITE}-{arch}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.tar"
    if path.exists():
        return path
    if os.geteuid() != 0:
        raise CannotInstall(f"{path.name} is not there, and making it needs root")
    tool("mmdebstrap", "cross/install-deps.sh --packages installs it")
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / f"{name}-{arch}.lock"):
        if not path.exists():  # another one was faster
            make(path, arch, packages, options)
    return path


def make(path, arch, packages, options):
    print(f"{path.name}: installing", flush=True)
    let_run(arch)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        new = Path(folder) / path.name
        # In a mount namespace of its own: what it mounts is nobody else's, and cannot stay behind.
        run(["unshare", "--mount", "mmdebstrap", "--variant=minbase", f"--architectures={arch}",
             f"--include={','.join(packages)}", *options, SUITE, new, mirror()])
        new.rename(path)


def mirror():
    named = os.environ.get("EDGEHOSE_MIRROR")
    if named:
        return named
    try:
        told = subprocess.run(["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)"], check=True,
                              capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotInstall(f"apt-get does not tell this machine's mirror ({error}): say EDGEHOSE_MIRROR=URL") from None
    for line in told.splitlines():
        label, _, address = line.partition(" ")
        if label == "Debian":
            return address
    raise CannotInstall("this machine's apt names no Debian mirror: say EDGEHOSE_MIRROR=URL")


def let_run(arch):
    """Lets programs of another machine run here, under qemu-user: installing packages takes that."""
    if arch == run(["dpkg", "--print-architecture"]).strip():
        return
    machine = MACHINES.get(arch)
    if not machine:
        raise CannotInstall(f"{arch} is none of {', '.join(MACHINES)}")
    if not (FORMATS / "register").exists():
        run(["mount", "-t", "binfmt_misc", "none", FORMATS])
    if not (FORMATS / f"qemu-{machine}").exists():
        rule = Path(f"/usr/lib/binfmt.d/qemu-{machine}.conf")
        if not rule.exists():
            raise CannotInstall(f"{rule} is not there: cross/install-deps.sh --vm installs it")
        (FORMATS / "register").write_text(rule.read_text().strip())
