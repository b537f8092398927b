"""Each line one document, once, at a search server that fails: against the stand-in of
fault_server.py --bulk, which keeps documents by id as the real ones do (support.search.* holds it
against them)."""

import promise
import fault_client  # found by promise
import search_reader

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
        self.server.faults({"path": "/_bulk", "do": "lost"})
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
        self.server.faults({"path": "/_bulk", "do": "refuse", "status": 400, "times": 99,
                            "type": "mapper_parsing_exception", "reason": "of the wrong type",
                            "holding": "poison"})
        self.box.log(lines=500)
        with open(self.box.logs / "other.log", "w") as file:
            file.write("one\npoison\nthree\n")
        agent = self.box.start()
        promise.wait_until(lambda: self.search()["dead_lettered"]["records"] == 1, 15, "refused", 0.2)
        promise.wait_until(lambda: self.search()["delivered"]["records"] == 502, 15, "the others", 0.2)
        agent.stop()
        self.assertEqual(self.reader.count(INDEX), 502)
        self.assertIn("of the wrong type", self.box.call("dead-letters", "list").stdout)

    def test_a_wrong_password_parks_and_tells_no_secret(self):
        password = self.box.root / "password"
        password.write_text("wrong")
        password.chmod(0o600)
        auth = {"user": "writer", "password": {"file": password}}
        self.serve("--user", f"writer:{PASSWORD}", auth=auth)
        self.box.log(lines=500)
        agent = self.box.start()
        self.error_of_search("401")
        self.assertEqual(self.search()["state"], "parked")
        agent.stop()
        self.assertNotIn("wrong", agent.output())
        password.write_text(PASSWORD)
        self.box.run_once()
        self.delivered()
        self.assertNotIn(PASSWORD, self.box.call("status").stdout)

    def test_what_is_too_large_is_halved(self):
        self.serve("--limit", 40000, batch={"max_raw_size": "256KiB", "max_age": "1s"})
        self.box.log(lines=5000)
        self.box.run_once(timeout=60)
        self.delivered()
        self.assertGreater(len(self.bulks()), 15, "of 40,000 bytes at most")


if __name__ == "__main__":
    promise.main()
