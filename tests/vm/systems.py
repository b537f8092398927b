"""What boots in a machine: which packages, of whose archive, for which processors."""
from dataclasses import dataclass

# What runs the machine and the test in it.
COMMON = ("systemd-sysv", "initramfs-tools", "udev", "dbus", "kmod", "e2fsprogs", "logrotate", "rsyslog", "iproute2",
          "python3", "ca-certificates")
# What edgehose's package depends on, and may recommend.
LIBRARIES = ("adduser", "libcurl4", "libssl3", "libzstd1", "liblmdb0", "libboost-program-options1.74.0", "libfmt9",
             "libspdlog1.10", "libdeflate0", "libsimdjson14", "zlib1g", "libstdc++6")
DEBIAN_12 = (*COMMON, "zstd", *LIBRARIES)


@dataclass(frozen=True)
class System:
    """In `packages` {arch} is Debian's name of the processor, one of `architectures`. `sources`: as debian.tarball's.
    `page_size`: its kernel's, in bytes. `processor`: the one that qemu emulates, by its name there; None: machine.py's
    choice."""

    suite: str
    packages: tuple
    architectures: tuple = ("amd64", "arm64")
    sources: tuple = ("{mirror}",)
    page_size: int = 4096
    processor: str = None

    def refusal(self, arch, archive):
        """Why it does not boot on this processor, or not with what is installed (`archive`: the static build); None
        where it does."""
        if arch not in self.architectures:
            return f"it is for {', '.join(self.architectures)} alone, not for {arch}"
        if not archive and not set(LIBRARIES) <= set(self.packages):
            return "it has not the libraries of the package: it takes --archive"
        return None


# Pages of 16 KiB are what the Raspberry Pi 5 boots with by default; its Cortex-A76 knows them, the A72 does not. Of 64
# KiB Debian has no kernel.
# Ubuntu's is for what Jetsons run: systemd 245, glibc 2.31, none of the libraries that the package wants. Debian 12 has
# no keys of Ubuntu's: what comes from there is not verified, and its packages' scripts run as this machine's root while
# they are installed. So not on a machine that is needed for more.
SYSTEMS = {
    "debian-12": System("bookworm", (*DEBIAN_12, "linux-image-cloud-{arch}")),
    "debian-12-16k": System("bookworm", (*DEBIAN_12, "linux-image-arm64-16k"), architectures=("arm64",),
                            sources=("deb {mirror} bookworm main", "deb {mirror} bookworm-backports main"),
                            page_size=16384, processor="cortex-a76"),
    "ubuntu-20.04": System("focal", (*COMMON, "linux-image-virtual"), architectures=("amd64",),
                           sources=("deb [trusted=yes] http://archive.ubuntu.com/ubuntu focal main",)),
}
