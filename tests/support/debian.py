"""Roots of Debian 12 and its relatives for tests: a tarball of packages, made once by mmdebstrap and kept beside
what install.py keeps, under the name of what is in it. Where the packages come from: cross/mirror.sh, unless the
caller says so. Needs root: the files in a tarball have other owners.
"""
import hashlib
import os
import tempfile
from pathlib import Path

from install import CACHE, CannotInstall, locked, run, tool

SUITE = "bookworm"
# What a tarball can be made for beside this machine's own; Debian's name -> qemu's.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
ROOT_SECONDS = 7200  # another machine's packages install under qemu-user, and slowly where it has other things to do
CROSS = Path(__file__).resolve().parents[2] / "cross"


def tarball(name, arch, packages, *options, suite=SUITE, sources=("{mirror}",)):
    """The root with `packages` and what they depend on, made if need be; `options` are mmdebstrap's. `sources`: a
    mirror, or lines of sources.list; {mirror} in them is this machine's. CannotInstall where it is not to be had."""
    text = "\n".join([*options, *sorted(packages), *(sources if sources != ("{mirror}",) else ())])
    path = CACHE / f"{name}-{suite}-{arch}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.tar"
    if path.exists():
        return path
    if os.geteuid() != 0:
        raise CannotInstall(f"{path.name} is not there, and making it needs root")
    tool("mmdebstrap", "cross/install-deps.sh --packages installs it")
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / f"{name}-{arch}.lock"):
        if not path.exists():  # another one was faster
            make(path, arch, packages, options, suite, [source.format(mirror=mirror()) for source in sources])
    return path


def make(path, arch, packages, options, suite, sources):
    print(f"{path.name}: installing", flush=True)
    let_run(arch)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        new = Path(folder) / path.name
        # In a mount namespace of its own: what it mounts is nobody else's, and cannot stay behind.
        run(["unshare", "--mount", "mmdebstrap", "--variant=minbase", f"--architectures={arch}",
             f"--include={','.join(packages)}", *options, suite, new, *sources], seconds=ROOT_SECONDS)
        new.rename(path)


def mirror():
    return run(["bash", CROSS / "mirror.sh"]).splitlines()[-1]  # before it apt may warn


def let_run(arch):
    """Lets programs of another machine run here, under qemu-user: installing packages takes that."""
    if arch == run(["dpkg", "--print-architecture"]).strip():
        return
    if arch not in MACHINES:
        raise CannotInstall(f"{arch} is none of {', '.join(MACHINES)}")
    run(["bash", CROSS / "binfmt.sh", MACHINES[arch]])
