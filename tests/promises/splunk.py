"""Each line one event at a Splunk HTTP Event Collector, at least once: against the strict stand-in
of splunk_receiver.py, which answers with every code. Acknowledgements: splunk_acks.py."""

import collections
import json
import subprocess
import time

import promise
import any_bytes  # found by promise
import splunk_client
from agent import secret

EVENT = "/services/collector/event"


class SplunkCase(promise.PromiseCase):
    def setUp(self):
        super().setUp()
        self.serve()

    def serve(self, *arguments, tls=None, **options):
        """A receiver, and a sink "soc" that delivers to it."""
        self.splunk = splunk_client.SplunkReceiver(*arguments, tls=tls)
        self.addCleanup(self.splunk.close)
        self.configure(**options)

    def configure(self, agent=None, **options):
        self.box.config(agent=agent, sinks={"soc": {
            **self.splunk.sink(batch={"max_raw_size": "64KiB", "max_age": "1s"}), **options}})

    def acked(self, **options):
        """A sink that asks for acknowledgements, as often as it may."""
        self.configure(**{**self.splunk.sink("ack-token"), "ack": True, "ack_interval": "1s",
                          "ack_timeout": "30s",
                          "batch": {"max_raw_size": "64KiB", "max_age": "1s"}, **options})

    def soc(self):
        return self.sink(self.box.status(), "soc")

    def wait_for(self, count, seconds=20):
        promise.wait_until(lambda: self.soc()["delivered"]["records"] >= count, seconds,
                           f"{count} records delivered", 0.1)

    def wait_for_error(self, words, seconds=20):
        promise.wait_until(lambda: words in self.soc()["last_error"], seconds, f"status: {words}", 0.1)

    def asked(self, path):
        return [one for one in self.splunk.log("POST") if one["path"].startswith(path)]

    def delivered(self, *arguments):
        """Every line is there, as an event each, once."""
        self.splunk.download(self.box.out)
        self.box.check(*arguments)

    def other(self, *lines):
        with open(self.box.logs / "other.log", "a") as file:
            file.write("".join(line + "\n" for line in lines))

    def told_apart(self):
        """How many records are there, and how many of them more than once."""
        times = collections.Counter((event["fields"]["stream"], event["fields"]["sequence"])
                                    for event in self.splunk.events())
        return len(times), sum(1 for n in times.values() if n > 1)


class Promise(SplunkCase):
    # --- what is delivered ----------------------------------------------------------------------

    def test_each_line_is_one_event(self):
        self.configure(agent={"labels": {"site": "north", "Cell-7": "b"}}, index="edge",
                       sourcetype="gateway", fields={"service": "meter"}, concurrency=1)
        self.box.log(lines=5000)
        self.box.run_once()
        self.delivered("--in-order")
        event = self.splunk.events()[0]
        self.assertRegex(event["time"], r"^\d{10}\.\d{3}$")
        self.assertTrue(event["source"].endswith("app.log"), event["source"])
        self.assertEqual([event[name] for name in ("index", "sourcetype")], ["edge", "gateway"])
        fields = event["fields"]
        self.assertEqual([fields[name] for name in ("agent", "site", "Cell_7", "service")],
                         ["gw-test", "north", "b", "meter"])
        self.assertEqual(self.told_apart(), (5000, 0))
        for asked in self.asked(EVENT):
            self.assertEqual(asked["headers"]["content-encoding"], "gzip")
            self.assertEqual(asked["headers"]["authorization"], "Splunk token")
            self.assertRegex(asked["headers"]["x-splunk-request-channel"], r"^[0-9a-f-]{36}$")
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def test_a_line_that_is_json_is_the_event_and_says_where_it_goes(self):
        self.configure(format="json", time_field="ts", host="!{field:dev.id}",
                       sourcetype="!{field:kind}")
        self.other('{"ts":1763861041.5,"dev":{"id":"plc-3"},"kind":"modbus","n":1}', "plain", "{}",
                   "", '{"n":2}')
        self.box.run_once()
        events = self.splunk.events()
        self.assertEqual([e["event"] for e in events],
                         [{"ts": 1763861041.5, "dev": {"id": "plc-3"}, "kind": "modbus", "n": 1},
                          "plain", "{}", {"n": 2}])
        self.assertEqual([events[0][name] for name in ("time", "host", "sourcetype")],
                         ["1763861041.500", "plc-3", "modbus"])
        self.assertNotIn("sourcetype", events[1])

    def test_raw_lines_go_as_they_are(self):
        self.configure(agent={"labels": {"site": "north"}}, format="raw", host="gw-!{label:site}",
                       sourcetype="syslog", concurrency=1)
        self.box.log(lines=2000)
        self.box.run_once()
        self.delivered("--in-order")
        event = self.splunk.events()[0]
        self.assertEqual([event[name] for name in ("host", "source", "sourcetype")],
                         ["gw-north", "app", "syslog"])

    def test_any_bytes_are_taken(self):
        """NUL, ESC and what is no UTF-8, of which only that is replaced; and what is nearly JSON."""
        for format, lines in (("lines", any_bytes.LINES), ("raw", any_bytes.LINES),
                              ("json", any_bytes.LINES + any_bytes.OBJECTS + any_bytes.NEARLY)):
            with self.subTest(format), promise.Sandbox() as self.box:
                self.serve(format=format, concurrency=1)
                any_bytes.write(self.box.logs / "app.log", lines)
                self.box.run_once(timeout=30)
                told = [event["event"] for event in self.splunk.events()]
                self.assertEqual(len(told), len(lines))
                self.assertFalse([pair for pair in zip(lines, told) if not any_bytes.is_right(*pair)])
                self.assertEqual(self.soc()["possible_duplicates"], 0)
                self.assertNotIn(6, self.splunk.codes(), "nothing is refused")

    # --- links ----------------------------------------------------------------------------------

    def test_links_that_fail_lose_nothing_and_what_they_double_is_counted(self):
        bad = [{"do": "reset", "after": 1000}, {"do": "lost"}, {"do": "short"}, {"do": "garbage"},
               {"do": "status", "status": 500, "body": "{}"}, {"do": "code", "code": 8},
               {"do": "status", "status": 200, "body": "<html>Welcome</html>"}, {"do": "lost"},
               {"do": "status", "status": 503, "body": "<html>upstream reset</html>"}]
        self.splunk.faults(*({"path": EVENT, **one} for one in bad))
        self.configure(concurrency=3)
        self.box.log(lines=10000)
        self.box.run_once(timeout=90)
        records, doubled = self.told_apart()
        self.assertEqual(records, 10000)
        self.assertGreater(doubled, 0)
        self.assertLessEqual(doubled, self.soc()["possible_duplicates"])
        self.assert_bounded_log()

    # --- refusals -------------------------------------------------------------------------------

    def test_what_is_refused_alone_is_a_dead_letter_alone(self):
        self.configure(format="json")
        poison = '{"twice":1,"twice":2}'  # no JSON that the receiver takes
        self.other(*(f'{{"n":{n}}}' for n in range(50)), poison, poison,
                   *(f'{{"n":{n}}}' for n in range(50, 100)), poison)
        agent = self.box.start()
        promise.wait_until(lambda: self.soc()["dead_lettered"]["records"] == 3, 20, "refused", 0.2)
        self.wait_for(100)
        agent.stop()
        self.assertEqual([event["event"]["n"] for event in self.splunk.events()], list(range(100)))
        self.assertIn("code 6", self.box.call("dead-letters", "list").stdout)
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def test_what_a_server_repeats_of_a_record_is_in_no_log(self):
        self.splunk.faults({"path": EVENT, "do": "status", "status": 400, "body": json.dumps(
            {"text": "cannot read canary-content", "code": 6, "invalid-event-number": 0})})
        self.other("canary-content")
        agent = self.box.start()
        promise.wait_until(lambda: self.soc()["dead_lettered"]["records"] == 1, 20, "refused", 0.2)
        agent.stop()
        self.assertNotIn("canary-content", agent.output() + json.dumps(self.box.status()))
        self.assertIn("400, code 6 (no valid event)", agent.output())
        self.assertIn("canary-content", self.box.call("dead-letters", "list").stdout)

    def refused_index(self, index_from):
        """Good records around two of an index that is forbidden: (there, in the dead letters)."""
        self.serve("--token", "token:index=ok", "--index-from", index_from, format="json",
                   index="!{field:i}")
        self.other(*('{"i":"%s","n":%d}' % ("no" if n in (0, 9) else "ok", n) for n in range(20)))
        agent = self.box.start()
        promise.wait_until(lambda: sum(self.soc()[what]["records"] for what in (
            "delivered", "dead_lettered")) == 20, 20, "all are told of", 0.2)
        agent.stop()
        letters = self.box.call("dead-letters", "export", "--all").stdout.splitlines()
        return ([event["event"]["n"] for event in self.splunk.events()],
                [json.loads(line)["n"] for line in letters])

    def test_a_forbidden_index_takes_no_good_record_with_it(self):
        there, letters = self.refused_index(index_from=1)
        self.assertEqual(there, [n for n in range(20) if n not in (0, 9)])
        self.assertEqual(sorted(letters), [0, 9])
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def test_nor_where_the_server_counts_its_events_from_0(self):
        there, letters = self.refused_index(index_from=0)
        self.assertEqual(set(there), {n for n in range(20) if n not in (0, 9)})
        self.assertLessEqual({0, 9}, set(letters))
        self.assertLessEqual(len(letters), 3)  # the one before it too

    def test_a_server_in_trouble_loses_and_doubles_nothing(self):
        bad = [{"path": EVENT, "do": "code", "code": code} for code in (9, 26, 27, 23, 9)]
        self.splunk.faults(*bad, {"path": EVENT, "do": "status", "status": 429, "body": "busy"})
        self.box.log(lines=5000)
        self.box.run_once(timeout=60)
        self.delivered()
        self.assertEqual(self.soc()["possible_duplicates"], 0)
        self.assert_bounded_log()

    def test_an_unclear_answer_is_sent_again_and_counted(self):
        self.configure(concurrency=1)
        self.splunk.faults({"path": EVENT, "do": "lost"})
        self.box.log(lines=200)
        self.box.run_once(timeout=30)
        self.assertEqual(self.splunk.counts()["events"], 400)
        self.assertEqual(self.soc()["possible_duplicates"], 200)

    def test_a_question_for_health_that_is_lost_doubles_nothing(self):
        self.splunk.faults({"path": "/services/collector/health", "do": "lost", "times": 2})
        self.box.log(lines=200)
        self.box.run_once(timeout=60)
        self.delivered()
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def too_large(self):
        return self.splunk.counts()["codes"].get("too large", 0)

    def test_what_is_too_large_is_halved(self):
        """And the limit is remembered, by another life too; a single event beyond it is a dead letter."""
        self.serve("--limit", 40000, batch={"max_raw_size": "256KiB", "max_age": "1s"}, concurrency=1)
        self.box.log(lines=5000)
        self.box.run_once(timeout=60)
        self.delivered()
        at_first = self.too_large()
        self.assertGreater(at_first, 0)
        self.other(*["x" * 150] * 3000)
        self.box.run_once(timeout=60)
        later = self.too_large() - at_first
        self.assertLessEqual(later, 1, "it knows, but for what its estimate of this life's events is off")
        self.assertEqual(self.splunk.counts()["events"], 8000)
        self.other("y" * 60000)
        agent = self.box.start("--once", "--timeout", "60s")
        self.assertEqual(agent.wait(70), 1, agent.output())
        self.assertEqual(self.too_large(), at_first + later + 1)
        self.assertEqual(self.soc()["dead_lettered"]["records"], 1)
        self.assertIn("413", self.box.call("dead-letters", "list").stdout)
        self.assertEqual(self.splunk.counts()["events"], 8000)
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def test_an_invalid_token_parks_until_it_is_corrected(self):
        token = self.box.root / "token"
        self.configure(token=secret(token, "wrong-token-of-this-test"))
        self.box.log(lines=500)
        agent = self.box.start()
        self.wait_for_error("see to \"token\"")
        self.assertEqual(self.soc()["state"], "parked")
        self.assertEqual(self.splunk.counts()["events"], 0)
        token.write_text("token")
        self.wait_for(500, promise.PARKED)
        agent.stop()
        self.delivered()
        self.assertNotIn("wrong-token", agent.output() + json.dumps(self.box.status()))

    def test_a_server_that_refuses_everything_gets_no_flood_and_buries_nothing(self):
        poison = '{"twice":1,"twice":2}'
        self.configure(format="json")
        self.other(*[poison] * 200)
        agent = self.box.start()
        self.wait_for_error("10 records in a row were refused")
        promise.time_passes(agent, 3)
        self.assertLessEqual(len(self.asked(EVENT)), 12)
        self.assertEqual(self.soc()["dead_lettered"]["records"], 0)
        agent.stop()

    def test_a_balancer_without_servers_gets_no_bodies(self):
        self.splunk.faults({"path": "/services", "do": "status", "status": 503, "times": 4,
                            "body": "<html>Service Temporarily Unavailable</html>"})
        self.box.log(lines=1000)
        agent = self.box.start()
        self.wait_for(1000, 60)
        agent.stop()
        asked = [(one["method"], one["path"]) for one in self.splunk.log()]
        self.assertEqual([method for method, _ in asked[:5]], ["GET"] * 5, asked[:6])
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def test_a_server_close_to_its_limits_is_left_alone_for_a_while(self):
        self.configure(concurrency=1)
        self.splunk.faults({"path": EVENT, "do": "code", "code": 24, "times": 3})
        self.box.log(lines=2000)
        begin = time.monotonic()
        self.box.run_once(timeout=30)
        self.assertGreater(time.monotonic() - begin, 4)
        self.delivered("--in-order")
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    # --- the way there --------------------------------------------------------------------------

    def certificates(self):
        subprocess.run(["bash", promise.SUPPORT / "make_certs.sh", self.box.root], check=True)
        return self.box.root

    def test_over_tls_to_several_indexers_behind_a_balancer(self):
        self.serve("--nodes", 3, "--sticky", tls=self.certificates())
        self.acked()
        self.box.log(lines=5000)
        self.box.run_once(timeout=40)
        self.delivered()
        self.assertEqual(self.soc()["possible_duplicates"], 0)

    def test_check_connect_tells_whether_events_would_be_taken(self):
        self.serve(tls=self.certificates())
        good = self.box.call("check", "--connect")
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        self.assertIn("TLS with a verified certificate", good.stdout)
        self.assertIn("events are taken, with this token", good.stdout)
        self.acked()
        self.assertIn("acknowledgements are given", self.box.call("check", "--connect").stdout)
        self.acked(token=self.splunk.sink()["token"])
        self.assertIn("ack = false", self.box.call("check", "--connect").stderr)
        self.configure(token=self.splunk.sink("ack-token")["token"])
        self.assertIn("set ack = true", self.box.call("check", "--connect").stderr)
        self.configure(token=secret(self.box.root / "wrong", "wrong-token-of-this-test"))
        bad = self.box.call("check", "--connect")
        self.assertEqual(bad.returncode, 1)
        self.assertIn("token", bad.stderr)
        self.assertNotIn("wrong-token", bad.stdout + bad.stderr)
        self.assertEqual(self.splunk.counts()["events"], 0)


if __name__ == "__main__":
    promise.main()
