#!/usr/bin/env python3
"""The log of a disk's writes: how it is read, and what a cut leaves, on logs made here."""
import random
import tempfile
import unittest
from pathlib import Path

import write_log
from write_log import DISCARD, ENTRY, FLUSH, FUA, MARK, SUPERBLOCK

SECTOR = write_log.SECTOR
SECTORS_OF_DISK = 64


def header(sector, sectors, flags):
    return ENTRY.pack(sector, sectors, flags, 0).ljust(SECTOR, b"\0")


def write(sector, letter, sectors=1, flags=0):
    return header(sector, sectors, flags) + letter * SECTOR * sectors


FLUSHED = header(0, 0, FLUSH)


class OneOf:
    """A random generator that always chooses what it is told."""

    def __init__(self, style, share=0.5, seed=1):
        self.style, self.share, self.rng = style, share, random.Random(seed)

    def choice(self, options):
        return self.style if self.style in options else self.share

    def random(self):
        return self.rng.random()

    def randint(self, first, last):
        return self.rng.randint(first, last)


class WriteLog(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log, self.image = Path(folder.name) / "log", Path(folder.name) / "disk"

    def entries(self, *parts, count=0):
        first = SUPERBLOCK.pack(write_log.MAGIC, write_log.VERSION, count, SECTOR).ljust(SECTOR, b"\0")
        self.log.write_bytes(first + b"".join(parts))
        return write_log.read_entries(self.log)

    def after(self, entries, style, lies=False, **options):
        """The disk's sectors as letters, "." for what was never written."""
        self.image.write_bytes(b"." * SECTOR * SECTORS_OF_DISK)
        self.cut = write_log.replay(self.log, entries, self.image, OneOf(style, **options), lies)
        disk = self.image.read_bytes()
        sectors = [disk[i:i + SECTOR] for i in range(0, len(disk), SECTOR)]
        self.assertTrue(all(len(set(sector)) == 1 for sector in sectors), "torn inside of a sector")
        return "".join(chr(sector[0]) for sector in sectors)

    def test_entries_are_read_beyond_the_superblocks_count(self):
        entries = self.entries(write(3, b"a", 2), FLUSHED, write(9, b"b"), count=1)
        self.assertEqual([(e.flags, e.at, e.size) for e in entries],
                         [(0, 3 * SECTOR, 2 * SECTOR), (FLUSH, 0, 0), (0, 9 * SECTOR, SECTOR)])
        self.assertEqual([e.end for e in entries[:-1]], [e.begin for e in entries[1:]])

    def test_discards_and_marks_have_no_data(self):
        entries = self.entries(header(8, 4, DISCARD), header(0, 0, MARK), write(1, b"a"))
        self.assertEqual([e.size for e in entries], [0, 0, SECTOR])

    def test_it_ends_where_an_entry_was_not_written(self):
        self.assertEqual(len(self.entries(write(1, b"a"), b"\0" * SECTOR, write(2, b"b"))), 1)

    def test_a_last_entry_that_is_cut_off_has_the_data_that_is_there(self):
        entries = self.entries(write(1, b"a"), write(2, b"b", 4)[:-2 * SECTOR])
        self.assertEqual(entries[-1].size, 2 * SECTOR)
        entries = self.entries(write(1, b"a"), write(2, b"b")[:SECTOR])
        self.assertEqual(entries[-1].size, 0)

    def test_other_files_are_refused(self):
        self.log.write_bytes(b"\0" * 4096)
        with self.assertRaises(write_log.Malformed):
            write_log.read_entries(self.log)
        self.log.write_bytes(b"short")
        with self.assertRaises(write_log.Malformed):
            write_log.read_entries(self.log)
        with self.assertRaises(write_log.Malformed):
            self.entries(write(1, b"a", flags=64))

    def test_what_was_flushed_is_there_whatever_becomes_of_the_rest(self):
        entries = self.entries(write(0, b"a"), write(1, b"b"), FLUSHED, write(0, b"c"), write(2, b"d"))
        self.assertEqual(self.after(entries, "none")[:4], "ab..")
        self.assertEqual(self.after(entries, "all")[:4], "cbd.")
        self.assertEqual((self.cut.durable, self.cut.pending), (2, 2))
        self.assertEqual((self.cut.bytes_pending, self.cut.bytes_kept), (2 * SECTOR, 2 * SECTOR))

    def test_a_disk_that_lies_has_flushed_nothing(self):
        entries = self.entries(write(0, b"a"), FLUSHED, write(1, b"b", flags=FUA))
        self.assertEqual(self.after(entries, "none", lies=True)[:2], "..")

    def test_without_a_flush_nothing_is_durable(self):
        entries = self.entries(write(0, b"a"), write(1, b"b"))
        self.assertEqual(self.after(entries, "none")[:3], "...")
        self.assertEqual(self.cut.pending, 2)

    def test_forced_writes_are_durable_alone(self):
        entries = self.entries(write(0, b"a"), write(1, b"b", flags=FUA), write(2, b"c"))
        self.assertEqual(self.after(entries, "none")[:3], ".b.")

    def test_the_data_of_a_flush_is_not_flushed_by_it(self):
        entries = self.entries(write(0, b"a"), write(1, b"b", flags=FLUSH))
        self.assertEqual(self.after(entries, "none")[:2], "a.")
        entries = self.entries(write(0, b"a"), write(1, b"b", flags=FLUSH | FUA))
        self.assertEqual(self.after(entries, "none")[:2], "ab")

    def test_a_cut_is_at_any_point(self):
        entries = self.entries(write(0, b"a"), FLUSHED, write(0, b"b"), FLUSHED, write(0, b"c"))
        self.assertEqual([self.after(entries[:n], "none")[0] for n in range(6)], list("..aabb"))

    def test_what_is_under_way_at_each_point(self):
        flushing, discarding = write(2, b"c", flags=FLUSH), header(8, 4, DISCARD)
        entries = self.entries(write(0, b"a"), write(1, b"b"), FLUSHED, flushing, discarding)
        self.assertEqual(write_log.under_way(entries), [0, 1, 2, 0, 1, 1])

    def test_parts_of_the_rest_a_beginning_or_torn(self):
        entries = self.entries(*(write(8 * i, b"%d" % i, 8) for i in range(8)))
        seen = {style: set() for style in ("prefix", "pages", "sectors")}
        for style, results in seen.items():
            for seed in range(20):
                results.add(self.after(entries, style, seed=seed))
            self.assertGreater(len(results), 3, style)
        whole = [str(i) * 8 for i in range(8)]
        for disk in seen["prefix"]:
            kept = len(disk.rstrip("."))
            self.assertEqual(disk[:kept], "".join(whole)[:kept])
            self.assertEqual(kept % 8, 0, "whole writes")
        for disk in seen["pages"]:
            self.assertTrue(all(disk[8 * i:8 * i + 8] in (whole[i], "." * 8) for i in range(8)))
        self.assertTrue(any(0 < disk[:8].count("0") < 8 for disk in seen["sectors"]), "never torn")

    def test_many_cuts_are_told_together(self):
        tally = write_log.Tally()
        self.assertEqual(str(tally), "none")
        for style in ("all", "none"):
            self.after(self.entries(write(0, b"a"), FLUSHED, write(1, b"b", 8)), style)
            tally.add(self.cut)
        self.assertEqual(str(tally), "2 (all 1, none 1; writes under way at 2 of them, 2 together, "
                                     "4 of their 8 KiB kept)")


if __name__ == "__main__":
    unittest.main()
