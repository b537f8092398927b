#!/usr/bin/env python3
"""Where the power may be cut: anywhere in the log of writes, but not before the last request that the servers
took."""
import random
import tempfile
import time
import types
import unittest
from pathlib import Path

import power_cuts
from machine import Growth
from write_log import FLUSH, Entry

ENTRIES = [Entry(FLUSH if i % 5 == 4 else 0, 0, 0, 0, 512 * (1 + i), 512 * (2 + i)) for i in range(40)]


def server(*times):
    return types.SimpleNamespace(log=lambda: [{"time": moment} for moment in times])


class Points(unittest.TestCase):
    def points(self, seen, requests):
        growth = Growth.__new__(Growth)
        growth.seen = seen
        gateway = types.SimpleNamespace(bucket=server(*requests), index=server())
        run = types.SimpleNamespace(rng=random.Random(1))
        return {power_cuts.point(run, gateway, ENTRIES, growth) for _ in range(2000)}

    def test_without_requests_anywhere(self):
        self.assertEqual(self.points([], []), set(range(len(ENTRIES) + 1)))

    def test_not_before_the_last_request(self):
        """At 3.0 it came; the next look, at 3.5, found 20 entries written."""
        seen = [(2.0, 512 * 11), (2.9, 512 * 16), (3.5, 512 * 21), (4.0, 512 * 41)]
        self.assertEqual(self.points(seen, [1.0, 3.0, 2.0]), set(range(20, len(ENTRIES) + 1)))

    def test_at_the_end_where_nobody_looked_since(self):
        self.assertEqual(self.points([(2.0, 512 * 11)], [3.0]), {len(ENTRIES)})

    def test_a_length_is_one_that_it_had_before_or_after(self):
        """What a look found was there at the latest when the next one began."""
        growth = Growth.__new__(Growth)
        growth.seen = [(2.0, 10), (3.0, 20), (4.0, 30)]
        self.assertEqual([growth.length_before(moment) for moment in (1.0, 2.5, 3.0, 3.5, 9.0)], [0, 0, 10, 10, 20])
        self.assertEqual([growth.length_after(moment) for moment in (1.0, 2.5, 3.0, 3.5, 9.0)], [10, 20, 30, 30, None])

    def test_a_log_that_grows_is_looked_at(self):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            log.write_bytes(b"1")
            growth = Growth(log)
            end = time.monotonic() + 20
            while not growth.seen and time.monotonic() < end:
                time.sleep(0.01)
            before = time.monotonic()
            log.write_bytes(b"1" * 1000)
            while growth.length_after(before) != 1000 and time.monotonic() < end:
                before = time.monotonic()
                time.sleep(0.01)
            growth.stop()
            self.assertEqual(growth.length_after(before), 1000)
            self.assertIsNone(growth.length_after(time.monotonic()))


if __name__ == "__main__":
    unittest.main()
