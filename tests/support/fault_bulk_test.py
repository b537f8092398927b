#!/usr/bin/env python3
"""The stand-in for a search server answers as the real one was recorded to (search_answers.py),
keeps each document once, and has its faults."""

import gzip
import json
import unittest

import search_answers
from fault_client import FaultServer
from search_case import CASES, LIMIT_BYTES, STAMP, USER, bulk, create
from search_reader import SearchReader

AS_RECORDED = (
    "created", "created_filtered", "duplicate", "without_ids", "gzipped", "malformed_document",
    "bad_index_name", "no_final_newline", "empty", "id_too_long", "unknown_action",
    "require_data_stream", "too_large", "too_large_gzipped", "too_large_chunked", "no_such_path")


class StandIn:
    """What the cases see of a server."""

    name, version = "opensearch", "stand-in"

    def __init__(self, process):
        self.process, self.search = process, SearchReader(process.url)


class Bulk(unittest.TestCase):
    def setUp(self):
        self.process = FaultServer("fault_server.py", "--bulk", "--limit", LIMIT_BYTES)
        self.addCleanup(self.process.close)
        self.server = StandIn(self.process)

    def items(self, *documents, **fault):
        """What becomes of each, as (id, status)."""
        if fault:
            self.process.faults({"path": "/_bulk", **fault})
        answer = bulk(self.server, create("logs", *documents)).answer.json()
        self.assertEqual(answer["errors"],
                         any(item["create"]["status"] > 299 for item in answer["items"]))
        return [(item["create"]["_id"], item["create"]["status"]) for item in answer["items"]]

    def test_answers_as_the_real_one(self):
        for name in AS_RECORDED:
            with self.subTest(name):
                now = self.shape(search_answers.record(
                    self.server, name, CASES[name](self.server, search_answers.index_of(name))))
                self.assertEqual(now, self.shape(search_answers.recorded(name, "opensearch")))

    def shape(self, told):
        """Without headers: those of Python's server are its own."""
        shaped = search_answers.shape(told)
        del shaped["headers"]
        for item in shaped.get("items", []):
            del item[5]
        return shaped

    def test_a_second_create_is_none(self):
        self.assertEqual(self.items(STAMP, STAMP), [("1", 201), ("2", 201)])
        self.assertEqual(self.items(STAMP, STAMP, STAMP), [("1", 409), ("2", 409), ("3", 201)])
        self.assertEqual(self.server.search.count("logs"), 3)

    def test_what_is_written_and_not_answered_is_there(self):
        self.process.faults({"path": "/_bulk", "do": "lost"})
        self.assertIsNone(bulk(self.server, create("logs", STAMP)).answer)
        self.assertEqual(self.items(STAMP), [("1", 409)])

    def test_refuses_those_that_hold_a_text(self):
        documents = ({"message": "good"}, {"message": "poison"})
        fault = {"do": "refuse", "holding": "poison", "status": 429, "type": "full", "times": 1}
        self.assertEqual(self.items(*documents, **fault), [("1", 201), ("2", 429)])
        self.assertEqual(self.items(*documents), [("1", 409), ("2", 201)])

    def test_too_few_too_many_and_out_of_order(self):
        three = (STAMP, STAMP, STAMP)
        self.assertEqual(len(self.items(*three, do="items", keep=2)), 2)
        self.assertEqual(len(self.items(*three, do="items", more=True)), 4)
        reversed_ = self.items(*three, do="items", reversed=True)
        self.assertEqual([identity for identity, _ in reversed_], ["3", "2", "1"])

    def test_a_blocked_index(self):
        self.server.search.ask("PUT", "/logs/_block")
        self.assertEqual(self.items(STAMP), [("1", 403)])
        self.server.search.ask("DELETE", "/logs/_block")
        self.assertEqual(self.items(STAMP), [("1", 201)])

    def test_an_hour_of_a_status(self):
        """Until the test says that it is over."""
        for status in (401, 403, 503):
            self.process.faults({"path": "/_bulk", "do": "status", "status": status, "times": 3})
            for _ in range(3):
                self.assertEqual(bulk(self.server, create("logs", STAMP)).answer.status, status)
        self.assertEqual(self.items(STAMP), [("1", 201)])

    def test_a_page_with_200(self):
        self.process.faults({"do": "status", "body": "<html>", "headers": {
            "Content-Type": "text/html"}})
        answer = bulk(self.server, create("logs", STAMP)).answer
        self.assertEqual((answer.status, answer.body), (200, b"<html>"))
        self.assertEqual(self.server.search.count("logs"), 0)

    def test_an_answer_byte_by_byte(self):
        self.process.faults({"do": "slow", "pause": 0.001})
        self.assertEqual(self.items(STAMP), [("1", 201)])


class OnlyItsUser(unittest.TestCase):
    def test_401(self):
        with FaultServer("fault_server.py", "--bulk", "--user", USER) as process:
            server = StandIn(process)
            self.assertEqual(bulk(server, create("logs", STAMP)).answer.status, 401)
            server.search = SearchReader(process.url, USER)
            self.assertEqual(bulk(server, create("logs", STAMP)).answer.status, 200)


class ToMeasureWith(unittest.TestCase):
    ACTIONS = (b'{"create":{"_id":"a"}}', b'{"create":{"_index":"logs","_id":"b"}}', b'{"index":{"_index":"logs"}}')
    BODY = b"".join(action + b'\n{"message":"id=RUN-%010d {\\"index\\":{}}"}\n' % n for n, action in enumerate(ACTIONS))

    def server(self, option):
        process = FaultServer("fault_server.py", "--bulk", option)
        self.addCleanup(process.close)
        return process

    def ask(self, process, **headers):
        return process.get("/logs/_bulk", self.BODY, {"Content-Type": "application/x-ndjson", **headers})

    def test_answers_each_action_whoever_wrote_it(self):
        process = self.server("--forget")
        told = json.loads(self.ask(process))
        self.assertEqual([[*item][0] for item in told["items"]], ["create", "create", "index"])
        self.assertEqual([[*item.values()][0]["_id"] for item in told["items"]], ["a", "b", ""])
        self.assertEqual(process.get("/__forgotten"), b"3")

    def test_compresses_for_those_who_ask(self):
        process = self.server("--forget")
        packed = self.ask(process, **{"Accept-Encoding": "gzip"})
        self.assertEqual(gzip.decompress(packed), self.ask(process))

    def test_keeps_what_a_line_is_known_by_once_for_each_id(self):
        process = self.server("--marks")
        for status in (201, 409):
            told = json.loads(self.ask(process))
            self.assertEqual([item["create"]["status"] for item in told["items"]], [status] * 3)
        self.assertEqual(process.get("/__marks/logs").split(), [b"id=RUN-%010d" % n for n in range(3)])


if __name__ == "__main__":
    unittest.main(verbosity=0)
