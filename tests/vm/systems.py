"""What boots in a machine: which packages, of whose archive."""
from dataclasses import dataclass

# What runs the machine and the test in it.
COMMON = ("systemd-sysv", "initramfs-tools", "udev", "dbus", "kmod", "e2fsprogs", "logrotate", "rsyslog", "iproute2",
          "python3", "ca-certificates")
# What edgehose's package depends on, and may recommend.
LIBRARIES = ("adduser", "libcurl4", "libssl3", "libzstd1", "liblmdb0", "libboost-program-options1.74.0", "libfmt9",
             "libspdlog1.10", "libdeflate0", "libsimdjson14", "zlib1g", "libstdc++6")


@dataclass(frozen=True)
class System:
    """`source`: a line of sources.list; None: this machine's own mirror. In `packages` {arch} is Debian's name of the
    processor."""

    suite: str
    packages: tuple
    source: str = None


# Ubuntu's is for what Jetsons run: systemd 245, glibc 2.31, none of the libraries that the package wants. Debian 12 has
# no keys of Ubuntu's: what comes from there is not verified, and runs where it reaches the test's servers alone.
SYSTEMS = {
    "debian-12": System("bookworm", (*COMMON, "zstd", *LIBRARIES, "linux-image-cloud-{arch}")),
    "ubuntu-20.04": System("focal", (*COMMON, "linux-image-virtual"),
                           "deb [trusted=yes] http://archive.ubuntu.com/ubuntu focal main"),
}
