"""The log of a disk's writes, as qemu's blklogwrites keeps it (the format of the kernel's dm-log-writes),
and what the disk may hold after a power cut at a point of it.

The log is made of sectors: a superblock, then entries, each a sector with a header and behind it the data
of a write. It ends where the machine was killed: a last entry may be cut off, or never have been written.

Durable at a point is what was written before the last flush in front of it, and each write that was
forced (FUA). Of the writes behind that flush a random part reached the disk, whole, in pages or torn into
sectors: tests/crash/disk.py chooses.
"""
import os
import struct
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "crash"))
import disk  # noqa: E402

SUPERBLOCK = struct.Struct("<QQQI")  # magic, version, entries, bytes of a sector
ENTRY = struct.Struct("<QQQQ")       # sector, sectors, flags, bytes of what follows the header in its sector
MAGIC, VERSION = 0x6A736677736872, 1
# A disk that lies keeps the order of its writes: else the file system would be broken, and nothing to be counted.
STYLES_OF_A_LIAR = ("none", "prefix")
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
KNOWN_FLAGS = FLUSH | FUA | DISCARD | MARK
SECTOR = 512


class Malformed(ValueError):
    """No log of blklogwrites."""


class Entry:
    """`begin`, `end`: where it lies in the log. `at`: where its data belongs on the disk, in bytes;
    `place`, `size`: where the data lies in the log. 0 bytes for a flush alone, and for a discard."""

    def __init__(self, flags, at, place, size, begin, end):
        self.flags, self.at, self.place, self.size = flags, at, place, size
        self.begin, self.end = begin, end

    @property
    def is_flush(self):
        return bool(self.flags & FLUSH)


def read_entries(path):
    """The entries of the log at `path`, in order, as far as it goes. Malformed where it is none.

    The superblock's count is older than the log's end, so it is not asked."""
    with open(path, "rb") as log:
        length = os.fstat(log.fileno()).st_size
        sector = read_superblock(log)
        entries, begin = [], sector
        while begin + ENTRY.size <= length:
            log.seek(begin)
            number, sectors, flags, _ = ENTRY.unpack(log.read(ENTRY.size))
            if (number, sectors, flags) == (0, 0, 0):
                break  # was to be written when the machine was killed
            if flags & ~KNOWN_FLAGS:
                raise Malformed(f"{path}: an entry with the flags {flags:#x} at byte {begin}")
            size = 0 if flags & (DISCARD | MARK) else sectors * sector
            place = begin + sector
            there = max(0, min(size, length - place))  # the last may be cut off
            entries.append(Entry(flags, number * sector, place, there, begin, place + size))
            begin = place + size
        return entries


def read_superblock(log):
    head = log.read(SUPERBLOCK.size)
    if len(head) < SUPERBLOCK.size:
        raise Malformed(f"{log.name}: shorter than a superblock")
    magic, version, _, sector = SUPERBLOCK.unpack(head)
    if (magic, version) != (MAGIC, VERSION) or sector < SECTOR or sector % SECTOR:
        raise Malformed(f"{log.name}: no superblock of blklogwrites")
    return sector


def split(entries, ignore_flushes=False):
    """(flushed, pending, forced): what a flush behind it made durable, what only was written after the
    last flush, and what was written after it and forced. Of a disk that lies nothing is durable."""
    if ignore_flushes:
        return [], [entry for entry in entries if entry.size], []
    last = max((i for i, entry in enumerate(entries) if entry.is_flush), default=0)
    # A flush that has data of its own flushes what was before it, not this.
    flushed = [entry for entry in entries[:last] if entry.size]
    later = [entry for entry in entries[last:] if entry.size]
    return (flushed, [entry for entry in later if not entry.flags & FUA],
            [entry for entry in later if entry.flags & FUA])


def under_way(entries):
    """Behind how many of the entries, none to all, how many writes no flush has made durable yet."""
    numbers = [0]
    for entry in entries:
        numbers.append((0 if entry.is_flush else numbers[-1]) + (entry.size > 0))
    return numbers


class Cut:
    """What `replay` did: how many writes were durable, how many pending, and the bytes of these that
    were kept. `again`: how much that servers had was sent to them again after it, where that is known."""

    def __init__(self, style, durable, pending):
        self.style, self.durable, self.pending = style, durable, len(pending)
        self.bytes_pending = sum(entry.size for entry in pending)
        self.bytes_kept, self.again = 0, 0

    def __str__(self):
        return (f"{self.style}, {self.durable} writes durable, of {self.pending} more ({self.bytes_pending >> 10} KiB) "
                f"{self.bytes_kept >> 10} KiB kept")


class Tally:
    """What many cuts did."""

    def __init__(self):
        self.number, self.under_way, self.styles, self.sums = 0, 0, Counter(), Counter()

    def add(self, cut):
        self.number += 1
        self.under_way += cut.pending > 0
        self.styles[cut.style] += 1
        self.sums.update(pending=cut.pending, kept=cut.bytes_kept, bytes=cut.bytes_pending, again=cut.again)

    def __str__(self):
        if not self.number:
            return "none"
        again = f", {self.sums['again']} objects and documents sent again" if self.sums["again"] else ""
        kinds = ", ".join(f"{style} {times}" for style, times in sorted(self.styles.items()))
        return (f"{self.number} ({kinds}; writes under way at {self.under_way} of them, {self.sums['pending']} "
                f"together, {self.sums['kept'] >> 10} of their {self.sums['bytes'] >> 10} KiB kept{again})")


def replay(log, entries, image, rng, ignore_flushes=False):
    """Writes to `image`, the disk as it was when `log` began, what a cut behind `entries` leaves of them."""
    flushed, pending, forced = split(entries, ignore_flushes)
    cut = Cut(rng.choice(STYLES_OF_A_LIAR if ignore_flushes else disk.STYLES), len(flushed) + len(forced), pending)
    with open(log, "rb") as source, open(image, "r+b") as target:
        def data(entry):
            source.seek(entry.place)
            return source.read(entry.size)

        def write(at, content):
            target.seek(at)
            target.write(content)
            return len(content)

        for entry in flushed:
            write(entry.at, data(entry))
        changes = [("write", entry.at, data(entry)) for entry in pending]
        cut.bytes_kept = sum(write(at, kept) for _, at, kept in disk.kept(changes, cut.style, rng))
        for entry in forced:  # last: no older write may lie over them
            write(entry.at, data(entry))
    return cut
