"""The bad days of links and servers, at each kind of server that takes records by request, over http
and https: after each every record is there once, or in the dead letters with a reason, or still
buffered.

A test runs all of its kind's days side by side, each in a process of its own, since most of them are
waiting. One alone:  python3 tests/promises/bad_days.py SearchHttps.half_open_while_it_sends
"""

import re
import statistics
import subprocess
import sys
import time
import unittest
from collections import Counter
from pathlib import Path

import promise
import event_servers  # found by promise
from clock import faketime, fast_clocks
from slow_link import SlowLink

LINES = 6000
SPEED = 120  # of the agent's clocks, for days that last hours
HALF_OPEN = 66  # seconds: a minute from the last byte, and what a busy machine is late
DAYS = []


def day(method):
    DAYS.append(method.__name__)
    return method


def day_of_hours(method):
    """In simulated time."""
    method.speed = SPEED
    return day(method)


class Day(promise.PromiseCase):
    """Named for what is bad about it. Each begins with LINES lines and a link that is up."""

    def setUp(self):
        super().setUp()
        self.agent = None
        if self.scheme == "https":
            subprocess.run(["bash", promise.SUPPORT / "make_certs.sh", self.box.root], check=True)
        tls = self.box.root if self.scheme == "https" else None
        self.server = event_servers.KINDS[self.kind](tls=tls)
        self.addCleanup(self.server.close)
        self.box.log(lines=LINES)

    def link(self, **options):
        link = SlowLink(self.server.port, **options)
        link.__enter__()
        self.addCleanup(link.__exit__)
        return link

    def begin(self, link=None, **options):
        options = {"batch": {"max_raw_size": "384KiB", "max_age": "1s"},
                   "retry": {"initial": "100ms", "max": "2s"}, **options}
        port = link and link.port
        self.box.config(sinks={"events": self.server.sink(port=port, **options)})
        self.agent = self.box.start(env=self.environment())

    def environment(self):
        speed = getattr(getattr(self, self._testMethodName), "speed", None)
        if not speed:
            return None
        if not faketime():
            self.skipTest("libfaketime is not installed")
        return fast_clocks(speed)

    def events(self):
        return self.sink(self.box.status(), "events")

    # --- what holds at any time --------------------------------------------------------------------

    def adds_up(self):
        """What the agent says of itself: nothing is unaccounted for."""
        status = self.box.status()
        sink, committed = self.sink(status, "events"), self.source(status)["committed"]["records"]
        self.assertEqual(committed, sink["delivered"]["records"] + sink["backlog"]["records"]
                         + sink["dead_lettered"]["records"]
                         + sum(dropped["records"] for dropped in sink["dropped"].values()))
        return sink

    def all_of_it_is_somewhere(self):
        """What the server says: each line once, but for those that the agent still has."""
        sink = self.adds_up()
        there = Counter(self.server.lines())
        given_up = Counter(self.box.call("dead-letters", "replay", "--all", "--stdout").stdout.encode().splitlines())
        written = set((self.box.logs / "app.log").read_bytes().splitlines())
        self.assertEqual(len(written), LINES)
        self.assertFalse((there.keys() | given_up.keys()) - written, "lines that nobody wrote")
        self.assertFalse(there.keys() & given_up.keys(), "delivered and given up")
        self.assertEqual(LINES, len(there) + len(given_up) + sink["backlog"]["records"])
        twice = sum(times > 1 for times in there.values())
        self.assertLessEqual(twice, 0 if self.server.once else sink["possible_duplicates"])
        self.assert_bounded_log()
        return sink

    def all_arrives(self, seconds=90):
        promise.wait_until(lambda: self.events()["delivered"]["records"] == LINES, seconds,
                           "all is delivered", 0.3)
        self.assertTrue(self.events()["past_error"], "it was no bad day")
        self.agent.stop()
        self.all_of_it_is_somewhere()

    def memory(self):
        """Bytes that are the agent's own."""
        text = Path(f"/proc/{self.agent.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Anonymous:\s+(\d+)", text, re.M)[1]) * 1024

    def an_hour(self):
        """Of the agent's time. Its memory is flat once all that is needed was needed once."""
        looks = []
        for _ in range(16):
            promise.time_passes(self.agent, 3600 / SPEED / 16)
            looks.append(self.memory() / 1e6)
        self.assertTrue(self.agent.running())
        self.assertLess(max(looks), 12, looks)
        self.assertLess(max(looks[8:]) - max(looks[4:8]), 0.5, looks)

    def is_given_up(self, begin, at_least, at_most):
        promise.wait_until(lambda: self.events()["retries"] > 0, at_most + 15, "given up", 0.2)
        took = time.monotonic() - begin
        self.assertGreater(took, at_least, "a link may be quiet for a while")
        self.assertLess(took, at_most)

    # --- the link ----------------------------------------------------------------------------------

    @day_of_hours
    def an_hour_without_a_link(self):
        link = self.link()
        link.down()
        self.begin(link, retry={"initial": "1s", "max": "5m"})
        self.an_hour()
        sink = self.adds_up()
        self.assertEqual(sink["backlog"]["records"], LINES)
        self.assertGreater(sink["retries"], 15, "it goes on trying")
        self.assertLess(sink["retries"], 120, "and not for ever faster")
        link.up()
        self.all_arrives()

    @day
    def a_link_that_comes_and_goes(self):
        link = self.link(rate=60_000)
        self.begin(link)
        for _ in range(8):
            promise.time_passes(self.agent, 0.7)
            link.down()
            promise.time_passes(self.agent, 0.3)
            link.up()
        self.all_arrives()

    @day
    def half_open_while_it_sends(self):
        link = self.link(rate=20_000)
        self.begin(link)
        promise.wait_until(lambda: link.sent > 10_000, 20, "it is sending")
        link.forget()
        self.is_given_up(time.monotonic(), 20, HALF_OPEN)
        self.all_arrives()

    @day
    def half_open_while_it_waits_for_an_answer(self):
        link = self.link()
        self.server.fails({"do": "silent"}, times=1)
        self.begin(link, concurrency=1)
        promise.wait_until(self.server.asked, 20, "the server has a request", 0.1)
        # What is not acknowledged yet (TLS's tickets) the link's kernel would say again, for a minute
        # and more, as nothing does that a firewall has forgotten.
        promise.time_passes(self.agent, 0.5)
        link.forget()
        self.is_given_up(time.monotonic(), 20, HALF_OPEN)
        self.all_arrives()

    # --- the server --------------------------------------------------------------------------------

    @day_of_hours
    def an_hour_of_refused_credentials(self):
        self.server.fails(self.server.refuses_credentials)
        self.begin()
        self.an_hour()
        sink, probes = self.adds_up(), len(self.server.asked())
        self.assertEqual(sink["state"], "parked")
        self.assertEqual(sink["backlog"]["records"], LINES)
        self.assertGreater(probes, 8, "it goes on asking")
        self.assertLess(probes, 60, "about once in five minutes")
        self.server.faults()
        self.all_arrives()

    @day_of_hours
    def an_hour_of_a_busy_server(self):
        """It says so of each request: asked ever more seldom, and nothing may be there twice."""
        self.server.fails(self.server.is_busy)
        self.begin(retry={"initial": "1s", "max": "5m"})
        self.an_hour()
        sink = self.adds_up()
        self.assertEqual(sink["backlog"]["records"], LINES)
        self.assertEqual(sink["possible_duplicates"], 0, "that is a clear refusal")
        times = [entry["time"] * SPEED for entry in self.server.asked()]
        self.assertGreater(len(times), 15, "it goes on asking")
        self.assertLess(len(times), 60, "after pauses of minutes at last")
        pauses = [after - before for before, after in zip(times, times[1:])]
        self.assertGreater(statistics.median(pauses[-7:]), 2 * statistics.median(pauses[:7]), pauses)
        self.assertGreater(max(pauses), 60, pauses)
        self.assertLess(max(pauses), 450, pauses)
        self.server.faults()
        self.all_arrives()

    @day
    def busy_for_a_while(self):
        self.server.fails(self.server.is_busy, times=8)
        self.begin()
        self.all_arrives()
        self.assertEqual(self.events()["possible_duplicates"], 0)

    @day
    def an_answer_of_one_byte_a_second(self):
        """It has taken what it does not manage to say."""
        self.server.fails(self.server.slow, times=1)
        self.begin(concurrency=1)
        promise.wait_until(self.server.asked, 20, "the server has a request", 0.1)
        self.is_given_up(time.monotonic(), 40, 90)
        self.all_arrives()

    @day
    def one_of_the_nodes_behind_a_balancer_is_bad(self):
        self.server.fails(self.server.bad_node)
        self.begin()
        self.all_arrives()

    @day
    def a_captive_portal_that_says_200(self):
        self.server.fails(event_servers.PORTAL)
        self.begin()
        promise.wait_until(lambda: self.events()["retries"] >= 5, 30, "it is not believed", 0.1)
        self.assertEqual(self.all_of_it_is_somewhere()["backlog"]["records"], LINES)
        self.server.faults()
        self.all_arrives()

    @day
    def answers_that_are_lost_cut_or_none(self):
        one = {"path": self.server.takes}
        losses = ({**one, "do": do} for do in ("lost", "short", "garbage", "reset", "lost"))
        self.server.faults(*self.server.other_losses, *losses, {**one, "do": "reset", "after": 2000},
                           {**one, "do": "lost", "times": 3})
        self.begin()
        self.all_arrives()

    @day
    def killed_while_no_answer_comes(self):
        """The next life knows nothing of what the server has, and doubles nothing."""
        self.server.fails({"do": "lost"})
        self.begin(concurrency=1)
        promise.wait_until(lambda: self.events()["retries"] > 1, 20, "it has no answer", 0.1)
        promise.wait_until(lambda: self.adds_up()["backlog"]["records"] == LINES, 20, "all is read", 0.1)
        self.agent.kill()
        self.server.fails({"do": "lost"}, times=1)
        self.agent = self.box.start()
        self.all_arrives()


class SearchHttp(Day):
    kind, scheme = "search", "http"


class SearchHttps(Day):
    kind, scheme = "search", "https"


class SplunkHttp(Day):
    kind, scheme = "splunk", "http"


class SplunkHttps(Day):
    kind, scheme = "splunk", "https"


class Promise(unittest.TestCase):
    def each_day(self, *kinds):
        """Side by side, to their ends."""
        names = [f"{kind.__name__}.{name}" for kind in kinds for name in DAYS]
        running = {name: subprocess.Popen([sys.executable, __file__, name], text=True,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          preexec_fn=promise.die_with_parent) for name in names}
        told = {name: process.communicate()[0] for name, process in running.items()}
        for name, text in told.items():
            if "OK (skipped" in text:
                print(f"{name}: {text}", file=sys.stderr)
        bad = [name for name, process in running.items() if process.returncode]
        self.assertFalse(bad, "".join(f"\n\n{name}:\n{told[name]}" for name in bad))

    def test_of_search_servers(self):
        self.each_day(SearchHttp, SearchHttps)

    def test_of_splunk(self):
        if not event_servers.agent_has("splunk"):
            self.skipTest("this agent has no such sink")
        self.each_day(SplunkHttp, SplunkHttps)


if __name__ == "__main__":
    promise.main()
