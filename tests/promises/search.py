"""Each line one document, once, at a search server that fails: against the stand-in of
fault_server.py --bulk, which keeps documents by id as the real ones do (support.search.* holds it
against them)."""

import json

import promise
import fault_client  # found by promise
import search_reader
from clock import UNSET, environment, faketime, fast_clocks

INDEX = "gateway-*"
PASSWORD = "pass/word+of+this+test"


def refusal(status, **more):
    return {"path": "/_bulk", "do": "status", "status": status, "body": "{}", **more}


class Promise(promise.PromiseCase):
    def setUp(self):
        super().setUp()
        self.serve()

    def serve(self, *arguments, **options):
        """A server, and a sink "search" that delivers to it."""
        self.server = fault_client.FaultServer("fault_server.py", "--bulk", *arguments)
        self.addCleanup(self.server.close)
        user = f"writer:{PASSWORD}" if "--user" in arguments else None
        self.reader = search_reader.SearchReader(self.server.url, user=user)
        self.configure(**options)

    def configure(self, **options):
        self.box.config(sinks={"search": {
            "type": "elasticsearch", "path": None, "compression": None,
            "endpoints": [self.server.url], "index": "gateway-!{timestamp:yyyy.MM.dd}",
            "batch": {"max_raw_size": "64KiB", "max_age": "1s"}, **options}})

    def search(self):
        return self.sink(self.box.status(), "search")

    def bulks(self):
        return [asked for asked in self.server.log("POST") if asked["path"].startswith("/_bulk")]

    def told(self):
        """Of each bulk request: its status, and how often each status of an item."""
        return json.loads(self.server.get("/__bulks"))

    def counted(self, name):
        return self.search()[name]["records"]

    def fast_clocks(self, speed):
        """An environment in which the agent's time passes so many times faster."""
        if not faketime():
            self.skipTest("libfaketime is not installed")
        return fast_clocks(speed)

    def block(self, method):
        self.reader.call(method, "/gateway-0/_block")

    def run_to_dead_letters(self):
        """All is sent, and some of it refused, which run --once calls a failure."""
        agent = self.box.start("--once", "--timeout", "60s")
        self.assertEqual(agent.wait(70), 1, agent.output())
        self.assertEqual(self.counted("backlog"), 0)

    def error_of_search(self, words):
        promise.wait_until(lambda: words in self.search()["last_error"], 10, f"status: {words}", 0.1)

    def delivered(self):
        """Every line is there, one document each, in order."""
        self.reader.once(INDEX)
        self.reader.download(INDEX, self.box.out)
        self.box.check("--in-order")

    def test_each_line_is_one_document(self):
        self.box.log(lines=5000)
        self.box.run_once()
        self.delivered()
        index, _, source = next(self.reader.documents(INDEX))
        self.assertRegex(index, r"^gateway-\d{4}\.\d\d\.\d\d$")
        self.assertEqual(search_reader.field(source, "agent.id"), "gw-test")
        self.assertTrue(search_reader.field(source, "log.file.path").endswith("app.log"))
        for asked in self.bulks():
            self.assertEqual(asked["headers"]["content-encoding"], "gzip")

    def test_links_and_servers_that_fail_lose_and_double_nothing(self):
        bulk = {"path": "/_bulk"}
        bad = [refusal(503), {**bulk, "do": "reset", "after": 1000}, {**bulk, "do": "lost"},
               {**bulk, "do": "short"}, {**bulk, "do": "garbage"}, refusal(429), refusal(500),
               {**bulk, "do": "status", "status": 200, "body": "<html>Welcome</html>"},
               {**bulk, "do": "items", "keep": 3}, {**bulk, "do": "items", "more": True},
               {**bulk, "do": "items", "reversed": True}]
        self.server.faults(*bad)
        self.configure(concurrency=3)
        self.box.log(lines=10000)
        self.box.run_once(timeout=90)
        self.delivered()
        self.assert_bounded_log()

    def test_killed_after_a_lost_answer_it_doubles_nothing(self):
        self.configure(retry={"initial": "1h", "max": "1h"}, concurrency=1)
        # Twice: over a connection that was used before it is sent again at once, which ids allow.
        self.server.faults({"path": "/_bulk", "do": "lost", "times": 2})
        self.box.log(lines=1000)
        agent = self.box.start()
        promise.wait_until(lambda: self.search()["last_error"], 10, "the answer is lost", 0.1)
        agent.kill()
        self.configure()
        self.box.run_once()
        self.delivered()

    def test_killed_again_and_again_it_doubles_nothing(self):
        self.box.log(lines=20000)
        for after in (0.3, 0.6, 0.9, 1.2):
            agent = self.box.start()
            promise.time_passes(agent, after)
            agent.kill()
        self.box.run_once(timeout=60)
        self.delivered()

    def test_what_is_refused_alone_is_a_dead_letter_alone(self):
        """With the server's reason; it goes again when a person says so."""
        self.server.faults({"path": "/_bulk", "do": "refuse", "status": 400, "times": 99,
                            "type": "mapper_parsing_exception", "reason": "of the wrong type",
                            "holding": "poison"})
        self.box.log(lines=500)
        (self.box.logs / "other.log").write_text("one\npoison\nthree\n")
        agent = self.box.start()
        promise.wait_until(lambda: self.counted("dead_lettered") == 1, 15, "refused", 0.2)
        promise.wait_until(lambda: self.counted("delivered") == 502, 15, "the others", 0.2)
        self.assertEqual(self.reader.count(INDEX), 502)
        self.assertIn("of the wrong type", self.box.call("dead-letters", "list").stdout)
        self.assertIn("400 mapper_parsing_exception", agent.output())
        self.assertNotIn("of the wrong type", agent.output(), "a reason may repeat the record")
        self.server.faults()
        self.box.call("dead-letters", "replay", "--all")
        promise.wait_until(lambda: self.counted("delivered") == 503, 15, "replayed", 0.2)
        agent.stop()
        self.assertEqual(self.counted("dead_lettered"), 0)
        self.assertIn(b"poison", self.reader.lines(INDEX))
        self.assertEqual(len(self.reader.once(INDEX)), 503)

    def test_of_an_answer_of_many_verdicts_only_what_was_too_much_goes_again(self):
        """201 and 409 are delivered, 400 is a dead letter, 429 goes again, and alone."""
        mixed = {"path": "/_bulk", "each": [
            {"holding": "busy", "status": 429, "type": "rejected_execution_exception"},
            {"holding": "poison", "status": 400, "reason": "of the wrong type"}]}
        self.server.faults({**mixed, "do": "items", "keep": 3}, {**mixed, "do": "refuse", "times": 3})
        self.box.log(lines=300)
        (self.box.logs / "other.log").write_text("poison\nbusy\n")
        self.configure(batch={"max_raw_size": "256KiB", "max_age": "1s"})
        self.run_to_dead_letters()
        self.assertEqual([answer["items"] for answer in self.told()], [
            {"201": 3},  # cut short: not believed
            {"409": 300, "429": 1, "400": 1}, {"429": 1}, {"429": 1}, {"201": 1}])
        self.assertEqual((self.counted("delivered"), self.counted("dead_lettered")), (301, 1))
        self.assertEqual(len(self.reader.once(INDEX)), 301)

    def test_a_wrong_password_parks_and_tells_no_secret(self):
        password = promise.secret(self.box.root / "password", "wrong")
        self.serve("--user", f"writer:{PASSWORD}", auth={"user": "writer", "password": password})
        self.box.log(lines=500)
        agent = self.box.start()
        self.error_of_search("401")
        self.assertEqual(self.search()["state"], "parked")
        agent.stop()
        self.assertNotIn("wrong", agent.output())
        promise.secret(self.box.root / "password", PASSWORD)
        self.box.run_once()
        self.delivered()
        self.assertNotIn(PASSWORD, self.box.call("status").stdout)

    def test_a_password_that_is_right_again_needs_no_restart(self):
        """After a week, in which it was asked about every five minutes; simulated. So fast that a
        busy machine has some of them time out."""
        speed, hours = 20000, 7 * 24
        env = self.fast_clocks(speed)
        password = promise.secret(self.box.root / "password", "wrong")
        self.serve("--user", f"writer:{PASSWORD}", auth={"user": "writer", "password": password},
                   retry={"initial": "1s", "max": "5m"})
        self.box.log(lines=500)
        agent = self.box.start(env=env)
        promise.time_passes(agent, hours * 3600 / speed)
        self.assertTrue(agent.running())
        asked = len(self.server.log("GET"))
        self.assertGreater(asked, hours, "it goes on asking")
        self.assertLess(asked, 36 * hours, "seldom")
        self.assertEqual(self.bulks(), [], "and sends nothing for it")
        self.assertEqual(self.counted("backlog"), 500)
        promise.wait_until(lambda: self.search()["state"] == "parked", 20, "parked", 0.05)
        self.error_of_search("401")
        promise.secret(self.box.root / "password", PASSWORD)
        promise.wait_until(lambda: self.counted("delivered") == 500, 60, "all is delivered", 0.2)
        agent.stop()
        self.delivered()
        self.assert_bounded_log(20 * hours)

    def test_what_was_read_before_the_clock_was_set_waits_for_it(self):
        self.box.log(lines=500)
        agent = self.box.start(env=environment(self, UNSET))
        promise.wait_until(lambda: self.search()["backlog"]["records"] == 500, 10, "read", 0.2)
        promise.time_passes(agent, 3)
        agent.kill()
        self.assertEqual(self.bulks(), [])
        self.assertIn("clock says 1970", agent.output())
        self.box.run_once()
        self.delivered()
        self.assertFalse([index for index, _, _ in self.reader.documents(INDEX) if "1970" in index])

    def test_a_batch_of_before_and_after_the_clock_was_lost_is_in_no_index_of_1970(self):
        """Read by a good clock, and after a boot without one; the batch is cut when it is set."""
        self.configure(batch={"max_raw_size": "4MiB", "max_age": "1h"})
        for first, env in ((0, None), (500, environment(self, UNSET))):
            self.box.log(lines=500, first=first, append=True, manifest=self.box.root / "part")
            agent = self.box.start(env=env)
            promise.wait_until(lambda: self.search()["backlog"]["records"] == first + 500, 10, "read", 0.2)
            agent.kill()
        self.assertEqual(self.bulks(), [])
        self.box.run_once()
        self.assertEqual(len(self.reader.once(INDEX)), 1000)
        self.assertFalse([index for index, _, _ in self.reader.documents(INDEX) if "1970" in index])

    def test_of_two_hosts_one_that_knows_no_such_user_holds_nothing_up(self):
        self.serve("--user", f"writer:{PASSWORD}")
        other = fault_client.FaultServer("fault_server.py", "--bulk", "--user", "other:one")
        self.addCleanup(other.close)
        password = promise.secret(self.box.root / "password", PASSWORD)
        self.configure(endpoints=[self.server.url, other.url],
                       auth={"user": "writer", "password": password})
        self.box.log(lines=5000)
        self.box.run_once()
        self.delivered()

    def test_what_is_too_large_is_halved_and_the_limit_is_remembered(self):
        self.serve("--limit", 1_200_000, batch={"max_raw_size": "4MiB", "max_age": "1s"})
        self.box.log(lines=20000)
        self.box.run_once(timeout=60)
        self.delivered()
        first = self.told()
        self.assertIn(413, [answer["status"] for answer in first])
        self.box.log(lines=20000, first=20000, append=True, manifest=self.box.root / "more")
        self.box.run_once(timeout=60)
        self.assertEqual(self.reader.count(INDEX), 40000)
        self.assertNotIn(413, [answer["status"] for answer in self.told()[len(first):]],
                         "another life knows it too")

    def test_what_is_too_large_by_far_is_halved_until_it_is_taken(self):
        """Most of it without being asked for: blocks are larger than that, and it knows it then."""
        self.serve("--limit", 40000, batch={"max_raw_size": "256KiB", "max_age": "1s"})
        self.box.log(lines=5000)
        self.box.run_once(timeout=60)
        self.delivered()
        refused = [answer for answer in self.told() if answer["status"] == 413]
        self.assertLess(len(refused), 60, "without it there are 90; some 20 to 40 by what is under way at once")

    def test_one_event_that_is_too_large_is_a_dead_letter(self):
        self.serve("--limit", 40000)
        self.box.log(lines=300)
        with open(self.box.logs / "app.log", "a") as log:
            log.write("x" * 50000 + "\n")
        self.run_to_dead_letters()
        self.assertEqual((self.counted("delivered"), self.counted("dead_lettered")), (300, 1))
        self.assertIn("413", self.box.call("dead-letters", "list").stdout)
        self.delivered()

    def test_a_blocked_index_is_waited_for(self):
        self.configure(index="gateway-0")
        self.block("PUT")
        self.box.log(lines=500)
        agent = self.box.start()
        promise.wait_until(lambda: len(self.told()) > 4, 30, "it is asked again", 0.2)
        self.assertEqual(self.counted("backlog"), 500)
        self.assertIn("blocked", self.search()["last_error"])
        self.block("DELETE")
        promise.wait_until(lambda: self.counted("delivered") == 500, 30, "all is delivered", 0.2)
        agent.stop()
        self.delivered()

    def test_what_is_blocked_for_too_long_is_a_dead_letter(self):
        """Two minutes, simulated."""
        env = self.fast_clocks(60)
        self.configure(index="gateway-0", blocked_max_age="2m")
        self.block("PUT")
        self.box.log(lines=500)
        agent = self.box.start(env=env)
        promise.wait_until(lambda: self.counted("dead_lettered") == 500, 30, "given up", 0.2)
        self.assertGreater(len(self.told()), 2)
        agent.stop()
        self.assertIn("blocked", self.box.call("dead-letters", "list").stdout)


if __name__ == "__main__":
    promise.main()
