#!/usr/bin/env python3
"""The Splunk receiver of the tests gives every code, by rule and on command, takes what is right,
and tells each acknowledgement once."""

import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
from pathlib import Path

from splunk_client import SplunkReceiver
from splunk_codes import CODES

VECTORS = Path(os.environ.get("EDGEHOSE_VECTORS", "")) / "splunk" / "hec_codes_0-27.csv"
CHANNEL = "0fb1c3d2-8a3e-4c5f-9d10-2b3c4d5e6f70"
ANOTHER = "1fb1c3d2-8a3e-4c5f-9d10-2b3c4d5e6f70"
EVENT = {"time": "1700000000.123", "event": "a line"}


def written(event):
    """As the sink writes it: the time is a number with three decimals."""
    text = json.dumps(event)
    return text.replace(f'"{event["time"]}"', str(event["time"])) if "time" in event else text


class ReceiverCase(unittest.TestCase):
    def start(self, *arguments, **options):
        self.server = SplunkReceiver(*arguments, **options)
        self.addCleanup(self.server.close)

    def ask(self, path, body=None, token="Splunk token", channel=None, kind="application/json",
            **headers):
        """(status, the answer)"""
        headers = {"Content-Type": kind, "Authorization": token,
                   "X-Splunk-Request-Channel": channel, **headers}
        headers = {name.replace("_", "-"): value for name, value in headers.items() if value}
        try:
            status, told = 200, self.server.get(f"/services/collector{path}", body, headers)
        except urllib.error.HTTPError as error:
            status, told = error.code, error.read()
            error.close()
        try:
            return status, json.loads(told)
        except ValueError:
            return status, told.decode()

    def send(self, *events, **how):
        return self.ask("", "".join(map(written, events)).encode(), **how)

    def send_for_ack(self, *events, channel=CHANNEL):
        return self.send(*events, token="Splunk ack-token", channel=channel)

    def acks(self, *ids, channel=CHANNEL):
        _, told = self.ask("/ack", json.dumps({"acks": ids}).encode(), token="Splunk ack-token",
                           channel=channel)
        return told["acks"]

    def code(self, *arguments, **how):
        """Of an answer that is as the table of codes says."""
        status, told = self.send(*arguments, **how)
        self.assertEqual((status, told["text"]), CODES[told["code"]])
        return told["code"]


class Codes(ReceiverCase):
    def setUp(self):
        self.start("--token", "token:index=main,index=other", "--token", "ack-token:ack", "--token",
                   "off:off", "--token", "query:query")

    def test_who_may(self):
        self.assertEqual(self.code(EVENT), 0)
        self.assertEqual(self.code(EVENT, token="Basic eDp0b2tlbg=="), 0)  # x:token
        self.assertEqual(self.code(EVENT, token="Splunk off"), 1)
        self.assertEqual(self.code(EVENT, token=None), 2)
        self.assertEqual(self.code(EVENT, token="Bearer token"), 3)
        self.assertEqual(self.code(EVENT, token="Splunk"), 3)
        self.assertEqual(self.code(EVENT, token="Splunk another"), 4)
        body = written(EVENT).encode()
        self.assertEqual(self.ask("?token=token", body, token=None)[1]["code"], 16)
        self.assertEqual(self.ask("?token=query", body, token=None)[1]["code"], 0)

    def test_events_before_the_one_that_is_refused_are_there(self):
        for code, bad in ((6, {**EVENT, "more": 1}), (7, {**EVENT, "index": "no"}),
                          (12, {"time": "1700000000.123"}), (13, {**EVENT, "event": ""}),
                          (15, {**EVENT, "fields": {"a": {"b": 1}}})):
            with self.subTest(code):
                before = len(self.server.events())
                status, told = self.send(EVENT, EVENT, bad, EVENT)
                self.assertEqual((status, told), (400, {
                    "text": CODES[code][1], "code": code,
                    "invalid-event-number": 3 if code == 7 else 2}))
                self.assertEqual(len(self.server.events()), before + 2)

    def test_strictly(self):
        for body in (b"", b" \n "):
            self.assertEqual(self.ask("", body)[1]["code"], 5)
        for body in (b'{"event":"a"', b'[{"event":"a"}]', b'{"event":"a","event":"b"}',
                     b'{"event":"a\xff"}', b'{"event":NaN}', b'{"event":"a","time":1700000000}',
                     b'{"event":"a","time":1700000000.1}', b'{"event":"a","time":"1700000000.123"}',
                     b'{"event":"a","host":1}'):
            with self.subTest(body):
                self.assertEqual(self.ask("", body)[1]["code"], 6)
        self.assertEqual(self.send(EVENT, kind=None)[1]["code"], 6)
        self.assertEqual(self.send(EVENT, kind="text/plain")[1]["code"], 6)
        self.assertEqual(self.server.events(), [])

    def test_what_is_right_is_kept(self):
        event = {**EVENT, "host": "h", "source": "s", "sourcetype": "t", "index": "other",
                 "fields": {"site": "north", "n": 1, "up": True}, "event": {"a": [1, 2.5]}}
        self.assertEqual(self.code(event, channel=CHANNEL), 0)
        self.assertEqual(self.server.events(), [{**event, "node": 0, "channel": CHANNEL}])

    def test_gzip(self):
        body = gzip.compress(written(EVENT).encode())
        self.assertEqual(self.ask("", body, Content_Encoding="gzip")[1]["code"], 0)
        self.assertEqual(self.ask("", body[:-9], Content_Encoding="gzip")[1]["code"], 6)
        self.assertEqual(self.ask("", body)[1]["code"], 6)
        self.assertEqual(len(self.server.events()), 1)

    def test_raw(self):
        def raw(body=b"one\n\ntwo\n", query="?source=s", channel=CHANNEL, kind="text/plain"):
            return self.ask(f"/raw/1.0{query}", body, channel=channel, kind=kind)[1]["code"]
        self.assertEqual(raw(), 0)
        self.assertEqual([(event["event"], event["source"]) for event in self.server.events()],
                         [("one", "s"), ("two", "s")])
        self.assertEqual(raw(query=f"?channel={CHANNEL}", channel=None), 0)
        self.assertEqual(raw(channel=None), 10)
        self.assertEqual(raw(channel="none"), 11)
        self.assertEqual(raw(b"\n"), 5)
        self.assertEqual(raw(query="?index=no"), 7)
        self.assertEqual(raw(kind=None), 6)

    def test_the_state_of_the_server(self):
        for name, code in (("broken", 8), ("busy", 9), ("shutting_down", 23)):
            self.server.state(**{name: True})
            self.assertEqual(self.code(EVENT), code)
            self.server.state(**{name: False})
        self.server.state(tokens={"token": "off"})
        self.assertEqual(self.code(EVENT), 1)
        self.assertEqual(self.server.codes(), {8: 1, 9: 1, 23: 1, 1: 1})

    def test_health(self):
        def health(query="", token=None):
            status, told = self.ask(f"/health{query}", token=token)
            self.assertEqual((status, told["text"]), CODES[told["code"]])
            return told["code"]
        self.assertEqual(health(), 17)
        self.assertEqual(health("?token=another"), 21)
        self.assertEqual(health(token="Splunk off"), 22)
        self.server.state(ack_service=False)
        self.assertEqual((health(), health("?ack=true")), (17, 19))
        self.server.state(shutting_down=True)
        self.assertEqual(health(), 23)

    def test_every_code_on_command(self):
        for code in CODES:
            self.server.faults({"do": "code", "code": code, "event": 1})
            self.assertEqual(self.code(EVENT), code)
        self.assertEqual(len(self.server.events()), 3, "0, 24 and 25 say that it is there")
        self.assertEqual(self.server.codes(), {code: 1 for code in CODES})

    def test_no_such_path(self):
        self.assertEqual(self.ask("/other", b"x")[0], 404)
        self.assertEqual(self.ask("/health", b"x")[0], 405)


class Vectors(unittest.TestCase):
    def test_are_those_of_the_documentation(self):
        if not VECTORS.is_file():
            why = f"MISSING: {VECTORS} is not there: EDGEHOSE_VECTORS says where the vectors are"
            print(why, file=sys.stderr)  # a skip's reason is shown nowhere else
            self.skipTest(why)
        with open(VECTORS, newline="") as rows:
            told = {int(row["code"]): (int(row["http_status"]), row["text"])
                    for row in csv.DictReader(rows)}
        self.assertEqual(CODES, told)


class Acknowledgements(ReceiverCase):
    def test_each_is_told_once_and_only_on_its_channel(self):
        self.start()
        self.assertEqual(self.send_for_ack(EVENT)[1]["ackId"], 0)
        self.assertEqual(self.send_for_ack(EVENT)[1]["ackId"], 1)
        self.assertEqual(self.send_for_ack(EVENT, channel=ANOTHER)[1]["ackId"], 0)
        self.assertEqual(self.acks(1, 2), {"1": True, "2": False})
        self.assertEqual(self.acks(0, 1), {"0": True, "1": False})
        self.assertEqual(self.acks(0, channel=ANOTHER), {"0": True})

    def test_what_is_refused_has_none(self):
        self.start()
        status, told = self.send_for_ack(EVENT, {**EVENT, "event": ""})
        self.assertEqual((status, told["invalid-event-number"], "ackId" in told), (400, 1, False))
        self.assertEqual(self.send_for_ack(EVENT)[1]["ackId"], 0)

    def test_channels_and_tokens(self):
        self.start()
        self.assertEqual(self.code(EVENT, token="Splunk ack-token"), 10)
        self.assertEqual(self.code(EVENT, token="Splunk ack-token", channel="x"), 11)
        asked = json.dumps({"acks": [0]}).encode()
        self.assertEqual(self.ask("/ack", asked, channel=CHANNEL)[1]["code"], 14)
        self.assertEqual(self.ask("/ack", asked, token="Splunk ack-token")[1]["code"], 10)
        self.assertEqual(self.ask("/ack", b"{}", token="Splunk ack-token",
                                  channel=CHANNEL)[1]["code"], 6)

    def test_not_before_it_is_indexed(self):
        self.start("--ack-delay", 0.2)
        self.server.state(indexing=False)
        self.send_for_ack(EVENT)
        self.assertEqual(self.server.counts()["waiting"], 1)
        self.server.state(indexing=True)
        begin = time.monotonic()
        while not self.acks(0)["0"]:
            self.assertLess(time.monotonic() - begin, 10)
        self.assertGreaterEqual(time.monotonic() - begin, 0.15)

    def test_a_restart_forgets_what_waits_and_every_id(self):
        self.start()
        self.send_for_ack(EVENT)
        self.server.state(indexing=False)
        self.send_for_ack(EVENT)
        self.server.restart()
        self.assertEqual(self.acks(0, 1), {"0": False, "1": False})
        self.assertEqual((self.server.counts()["events"], self.server.counts()["lost"]), (1, 1))
        self.assertEqual(self.send_for_ack(EVENT)[1]["ackId"], 0)

    def test_a_full_channel(self):
        self.start("--acks", 5)
        codes = [self.send_for_ack(EVENT)[1]["code"] for _ in range(6)]
        self.assertEqual(codes, [0, 0, 0, 25, 25, 27])
        self.acks(0, 1, 2, 3, 4)
        self.assertEqual(self.send_for_ack(EVENT)[1]["code"], 0)

    def test_a_full_queue(self):
        self.start("--queue", 5)
        self.server.state(indexing=False)
        self.assertEqual([self.code(EVENT) for _ in range(6)], [0, 0, 0, 24, 24, 26])
        self.assertEqual(self.ask("/health")[1]["code"], 18)
        self.server.state(ack_service=False)
        self.assertEqual(self.ask("/health?ack=true")[1]["code"], 20)


class Nodes(ReceiverCase):
    def test_each_request_goes_to_the_next(self):
        self.start("--nodes", 3)
        self.assertEqual([self.send_for_ack(EVENT)[1]["ackId"] for _ in range(4)], [0, 0, 0, 1])
        self.assertEqual([event["node"] for event in self.server.events()], [0, 0, 1, 2])
        self.assertEqual(self.acks(1), {"1": False}, "asked of the second, which has only one")

    def test_sticky(self):
        self.start("--nodes", 3, "--sticky")
        self.assertEqual([self.send_for_ack(EVENT)[1]["ackId"] for _ in range(4)], [0, 1, 2, 3])
        self.assertEqual(self.acks(0, 3), {"0": True, "3": True})


class OnTheWire(ReceiverCase):
    def test_tls(self):
        with tempfile.TemporaryDirectory(prefix="edgehose-splunk-") as folder:
            subprocess.run(["bash", Path(__file__).with_name("make_certs.sh"), folder], check=True)
            self.start(tls=folder)
            self.assertEqual(self.code(EVENT), 0)

    def test_too_large_is_told_in_html(self):
        self.start("--limit", 100)
        body = gzip.compress(written({**EVENT, "event": "x" * 100}).encode())
        status, told = self.ask("", body, Content_Encoding="gzip")
        self.assertEqual((status, told[:15]), (413, "<!doctype html>"))

    def test_an_answer_that_is_lost(self):
        self.start()
        self.server.faults({"do": "lost"})
        with self.assertRaises(OSError):
            self.send(EVENT)
        self.assertEqual(len(self.server.events()), 1)


if __name__ == "__main__":
    unittest.main(verbosity=0)
