#!/usr/bin/env python3
"""Replays: where a log may be cut, and what the servers had taken by then."""
import random
import sys
import tempfile
import types
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import replays  # noqa: E402
from agent import Failed  # noqa: E402
from fault_client import FaultServer  # noqa: E402
from write_log import FLUSH, Entry  # noqa: E402

# Ten sectors, a flush behind the fifth and the tenth.
ENTRIES = [Entry(FLUSH if i % 5 == 4 else 0, 0, 0, 0 if i % 5 == 4 else 512, 512 * (1 + i), 512 * (2 + i))
           for i in range(10)]
ENDS = [0] + [entry.end for entry in ENTRIES]
BULK = b'{"create":{"_index":"logs","_id":"%s"}}\n{"message":"%s"}\n'


def taken(*requests):
    found = replays.Taken.__new__(replays.Taken)
    found.cloud, found.search = list(requests), []
    return found


def post(server, path, data, method="POST"):
    headers = {"Content-Type": "application/x-ndjson"}
    urllib.request.urlopen(urllib.request.Request(server.url + path, data, headers, method=method)).close()


class Points(unittest.TestCase):
    def test_not_where_it_is_unknown_whether_a_request_had_come(self):
        """It came when entry 3 was there, and entry 6 not yet, or just then."""
        request = replays.Request({}, ENTRIES[3].end, ENTRIES[6].end)
        self.assertEqual(taken(request).uncertain(ENDS), {5, 6})
        found = replays.points(ENTRIES, taken(request), random.Random(1), 500)
        self.assertEqual(set(found), set(range(11)) - {5, 6})

    def test_rather_where_much_is_under_way(self):
        found = replays.points(ENTRIES, taken(), random.Random(1), 2000)
        self.assertGreater(found.count(4), 2 * found.count(5))

    def test_behind_a_request_that_nobody_looked_after_nothing_is_cut(self):
        request = replays.Request({}, ENTRIES[7].end, None)
        self.assertEqual(taken(request).uncertain(ENDS), {9, 10})
        self.assertEqual(taken(request).until(ENDS[-1]), [[], []])

    def test_the_requests_until_a_point(self):
        first, second = replays.Request({}, 0, ENTRIES[1].end), replays.Request({}, 0, ENTRIES[4].end)
        self.assertEqual(taken(first, second).until(ENTRIES[3].end), [[first], []])


class Servers(unittest.TestCase):
    def test_what_they_took_is_told_with_the_length_of_the_log(self):
        with tempfile.TemporaryDirectory() as folder:
            sample = Path(folder) / "sample"
            with FaultServer("fault_server.py") as bucket, \
                    FaultServer("fault_server.py", "--bulk", "--sample", sample, 1 << 20) as index:
                post(bucket, "/b/one", b"first", "PUT")
                post(index, "/_bulk", BULK % (b"1", b"x") + BULK % (b"2", b"y"))
                post(index, "/logs/_search", b"{}")
                growth = types.SimpleNamespace(length_before=lambda _: 7, length_after=lambda _: 9)
                found = replays.Taken(bucket, index, sample, growth)
        self.assertEqual([request.contents for request in found.cloud], [{"/b/one": b"first"}])
        self.assertEqual([request.contents for request in found.search],
                         [{("logs", "1"): b'{"message":"x"}', ("logs", "2"): b'{"message":"y"}'}])
        self.assertEqual({(one.before, one.after) for one in found.cloud + found.search}, {(7, 9)})

    def test_what_comes_again_comes_with_the_same_content(self):
        one, again, other = (replays.Request({"key": content}) for content in (b"a", b"a", b"b"))
        self.assertEqual(replays.held([one, again]), {"key": b"a"})
        with self.assertRaises(Failed):
            replays.held([one, other])


if __name__ == "__main__":
    unittest.main()
