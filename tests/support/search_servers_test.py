#!/usr/bin/env python3
"""Each search server of the tests starts, keeps what it stored through kill -9, and answers as it
did when its answers were recorded (search_answers.py).

    python3 tests/support/search_servers_test.py OpenSearch
"""

import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import search_answers
import search_servers
from agent import Failed, wait_until
from search_case import STAMP, USER, bulk, create


class ServerCase:
    kind = None

    def start(self, **options):
        server = search_servers.start(self.kind, **options)
        self.addCleanup(server.stop)
        return server

    def test_answers_as_recorded(self):
        for (settings, user), names in search_answers.groups(search_answers.cases_of(self.kind)):
            with search_servers.start(self.kind, settings=dict(settings), user=user) as server:
                for name in names:
                    with self.subTest(name):
                        self.answers_as_recorded(server, name)

    def answers_as_recorded(self, server, name):
        now = search_answers.record(server, name, search_answers.ask(server, name))
        then = search_answers.recorded(name, self.kind)
        self.assertEqual(then["server"], now["server"])
        self.assertEqual(search_answers.shape(now), search_answers.shape(then))

    def test_killed_it_keeps_all_and_stopped_it_is_gone(self):
        server = self.start()
        bulk(server, create("logs", STAMP, {**STAMP, "message": "b"}))
        port = server.port
        server.kill()
        self.assertFalse(server.alive())
        server.start()
        self.assertEqual(server.port, port)
        self.assertEqual(server.search.once("logs"), ["1", "2"])
        pid = server.pid
        server.stop()
        self.assertFalse(server.state.exists())
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)

    def test_over_tls_and_only_for_its_user(self):
        server = self.start(tls=True, user=USER)
        self.assertEqual(bulk(server, create("logs", STAMP)).answer.status, 200)
        for wrong in ({"user": "writer:another"}, {"user": None}):
            reader = search_servers.SearchReader(server.endpoint, **wrong, ca_file=server.ca_file)
            self.assertEqual(reader.call("GET", "/logs/_count").status, 401)
        with self.assertRaisesRegex(Exception, "certificate verify failed"):
            search_servers.SearchReader(server.endpoint, USER).call("GET", "/")


class OpenSearch(ServerCase, unittest.TestCase):
    kind = "opensearch"


class Elasticsearch(ServerCase, unittest.TestCase):
    kind = "elasticsearch"

    def test_no_node_outlives_a_test_that_is_killed(self):
        """It is the child of a launcher, which is the child of the test."""
        program = "import sys, search_servers\n" \
            "server = search_servers.start('elasticsearch')\n" \
            "print(server.pid, server.state, flush=True)\n" \
            "sys.stdin.read()\n"
        test = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parent,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        pid, state = test.stdout.readline().split()
        self.addCleanup(shutil.rmtree, state)
        test.kill()
        test.communicate()
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), 20, "the node has ended")


class Reader(unittest.TestCase):
    """What reads back sees what is there twice; at OpenSearch."""

    @classmethod
    def setUpClass(cls):
        cls.server = search_servers.start("opensearch")
        cls.addClassCleanup(cls.server.stop)

    def test_reads_every_page(self):
        lines = [{"message": f"line {n}", "event": {"sequence": n}} for n in range(12000)]
        bulk(self.server, create("many", *lines))
        self.assertEqual(self.server.search.count("many"), 12000)
        self.assertEqual(len(self.server.search.once("many")), 12000)
        self.assertEqual(self.server.search.lines("many"),
                         [b"line %d" % n for n in range(12000)])

    def test_a_line_or_an_id_that_is_there_twice(self):
        bulk(self.server, create("twice-a", {"message": "one"}, {"message": "one"}))
        with self.assertRaisesRegex(Failed, "one line in more than one document"):
            self.server.search.once("twice-a")
        bulk(self.server, create("again-a", {"message": "one"}) +
             create("again-b", {"message": "another"}))
        with self.assertRaisesRegex(Failed, "one id in more than one document"):
            self.server.search.once("again-*")


if __name__ == "__main__":
    unittest.main(verbosity=0)
