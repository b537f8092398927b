#!/usr/bin/env python3
"""The lines of the machine's log, and their count: what is lost, doubled and strange is seen."""
import gzip
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

import lines

HERE = Path(__file__).resolve().parent
ALL = [lines.line("L001", n) for n in range(100)]


class Lines(unittest.TestCase):
    def test_a_line_tells_whether_it_is_whole(self):
        for text in ALL:
            self.assertTrue(lines.is_whole(text))
            self.assertFalse(lines.is_whole(text[:-1]))
            self.assertFalse(lines.is_whole(text.replace(b"unit", b"Unit")))
        self.assertEqual(len(set(ALL)), len(ALL))

    def test_all_once_is_right(self):
        self.assertTrue(lines.Count(Counter(ALL), Counter(ALL)).is_right())

    def test_nothing_at_all_is_not_right(self):
        self.assertFalse(lines.Count(Counter(), Counter()).is_right())

    def test_a_lost_line_is_seen(self):
        count = lines.Count(Counter(ALL), Counter(ALL[1:]))
        self.assertEqual((count.lost, count.is_right()), ([ALL[0]], False))

    def test_a_doubled_line_is_seen(self):
        count = lines.Count(Counter(ALL), Counter(ALL + ALL[:1]))
        self.assertEqual((count.doubled, count.is_right()), ([ALL[0]], False))

    def test_what_no_file_holds_any_more_is_right_where_it_is_allowed(self):
        count = lines.Count(Counter(ALL[1:]), Counter(ALL))
        self.assertEqual((count.beyond, count.is_right(), count.is_right(beyond=True)), ([ALL[0]], False, True))

    def test_what_no_file_holds_any_more_arrives_once(self):
        count = lines.Count(Counter(ALL[1:]), Counter(ALL + ALL[:1]))
        self.assertEqual((count.doubled, count.is_right(beyond=True)), ([ALL[0]], False))

    def test_what_was_never_written_is_strange(self):
        count = lines.Count(Counter(ALL), Counter(ALL + [ALL[0][:50]]))
        self.assertEqual((count.strange, count.is_right()), ([ALL[0][:50]], False))

    def test_torn_lines_that_files_hold_count_as_often_as_they_are_held(self):
        torn = [b"id=L0"] * 2
        self.assertTrue(lines.Count(Counter(ALL + torn), Counter(ALL + torn)).is_right())
        self.assertFalse(lines.Count(Counter(ALL + torn), Counter(ALL + torn[:1])).is_right())
        self.assertFalse(lines.Count(Counter(ALL + torn), Counter(ALL + torn * 2)).is_right())


    def test_a_last_line_without_its_end_is_a_line(self):
        self.assertEqual(lines.count(b"a\nb\n\n"), Counter([b"a", b"b", b""]))
        self.assertEqual(lines.count(b"a\nb"), Counter([b"a", b"b"]))
        self.assertEqual(lines.count(b""), Counter())


class Writer(unittest.TestCase):
    """guest/write_lines.py as a process."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name) / "app.log"

    def start(self, *more):
        writer = subprocess.Popen([sys.executable, HERE / "guest/write_lines.py", "--file", self.log, "--run", "W",
                                   "--rate", "2000", *more], env={**os.environ, "PYTHONPATH": str(HERE)},
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(writer.stdout.close)
        self.addCleanup(writer.kill)
        return writer

    def stop(self, writer):
        writer.send_signal(signal.SIGTERM)
        told, _ = writer.communicate(timeout=20)
        return int(told.split()[0])

    def until(self, condition):
        end = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_it_goes_on_in_a_new_file_when_it_is_told(self):
        writer = self.start()
        self.until(lambda: self.log.exists() and self.log.stat().st_size > 5000)
        old = self.log.rename(self.log.with_name("app.log.1"))
        writer.send_signal(signal.SIGHUP)
        self.until(lambda: self.log.exists() and self.log.stat().st_size > 5000)
        number = self.stop(writer)
        old.with_name("app.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()
        self.assertEqual(lines.read_folder(self.log.parent), Counter(lines.line("W", n) for n in range(number)))

    def test_it_ends_behind_so_many(self):
        writer = self.start("--lines", "7")
        told, _ = writer.communicate(timeout=20)
        self.assertEqual(told, "7 lines\n")
        self.assertEqual(lines.read_folder(self.log.parent), Counter(lines.line("W", n) for n in range(7)))

    def test_it_ends_a_torn_line_first(self):
        self.log.write_bytes(ALL[0][:30])
        writer = self.start()
        self.until(lambda: self.log.stat().st_size > 1000)
        self.stop(writer)
        found = lines.read_folder(self.log.parent)
        self.assertEqual([text for text in found if not lines.is_whole(text)], [ALL[0][:30]])


if __name__ == "__main__":
    unittest.main()
