"""Into real search servers: each line is there once, whatever is killed meanwhile, and whatever they refuse
is there afterwards, or a dead letter with their reason, or still buffered."""

import contextlib
import json
import random
import threading

import promise
import any_bytes  # found by promise
import search_servers
from search_case import TIGHT, STAMP, action, body, bulk, cluster_setting, make, make_data_stream_template, \
    pipeline
from search_item_cases import DROP, FAIL
from search_reader import field

INDEX = "gateway-*"
LINES = 20000
FEW = 400


class Promise(promise.PromiseCase):
    def start(self, name, **options):
        server = search_servers.start(name, **options)
        self.addCleanup(server.stop)
        return server

    def configure(self, server, **options):
        sink = {"index": "gateway-!{timestamp:yyyy.MM.dd}", "data_stream": None,
                "batch": {"max_raw_size": "256KiB", "max_age": "1s"}, **options}
        self.box.config(sinks={"search": server.sink(**sink)})

    def delivered(self, server):
        self.assertEqual(server.search.count(INDEX), LINES)
        server.search.once(INDEX)
        server.search.download(INDEX, self.box.out)
        self.box.check("--in-order")

    def counted(self, name):
        return self.sink(self.box.status(), "search")[name]["records"]

    # --- kills -------------------------------------------------------------------------------------

    def kills_at_random(self, server, rounds):
        """kill -9 of the agent, again and again, while it reads and delivers; more of them:
        ../crash/kill9.py --search."""
        moments = random.Random(7)
        for _ in range(rounds):
            agent = self.box.start()
            promise.time_passes(agent, moments.uniform(0.05, 1.0))
            agent.kill()

    def test_opensearch_over_tls_with_the_agent_killed(self):
        server = self.start("opensearch", tls=True, user="writer:pass word")
        self.configure(server)
        asked = self.box.call("check", "--connect")
        self.assertEqual(asked.returncode, 0, asked.stdout + asked.stderr)
        self.box.log(lines=LINES)
        self.kills_at_random(server, 8)
        self.box.run_once(timeout=90)
        self.delivered(server)

    def test_opensearch_itself_killed(self):
        self.killed_itself("opensearch")

    def test_elasticsearch_itself_killed(self):
        self.killed_itself("elasticsearch")

    def killed_itself(self, name):
        """What it has acknowledged it keeps; what it has not is sent again under the same ids."""
        server = self.start(name)
        self.configure(server)
        self.box.log(lines=LINES)
        agent = self.box.start()
        promise.wait_until(lambda: self.counted("delivered") > 0, 60, "some are delivered", 0.05)
        server.kill()
        promise.time_passes(agent, 1)
        server.start()
        promise.wait_until(lambda: self.counted("delivered") == LINES, 90, "all are delivered", 0.3)
        agent.stop()
        self.delivered(server)

    # --- what they refuse --------------------------------------------------------------------------

    def test_what_opensearch_refuses(self):
        server = self.start("opensearch", settings=TIGHT)
        for case in (*OF_EACH, Promise.dropped_and_failed):
            self.case(case, server)

    def test_what_elasticsearch_refuses(self):
        server = self.start("elasticsearch", settings=TIGHT)
        for case in OF_EACH:
            self.case(case, server)

    def case(self, case, server):
        """In a sandbox of its own, and an index of its own, "case-NAME"."""
        index = "case-" + case.__name__.replace("_", "-")
        with self.subTest(case.__name__), promise.Sandbox() as self.box:
            case(self, server, index)

    def write(self, lines):
        (self.box.logs / "app.log").write_bytes(b"".join(line + b"\n" for line in lines))

    def finish(self, dead=0):
        """All is sent; with dead letters run --once calls it a failure."""
        agent = self.box.start("--once", "--timeout", "90s")
        self.assertEqual(agent.wait(100), 1 if dead else 0, agent.output())

    def all_is_somewhere(self, server, index, lines, dropped=0):
        """Of `lines` the pipeline has dropped so many."""
        self.assertEqual(server.search.count(index) + self.counted("dead_lettered") + self.counted("backlog"),
                         lines - dropped)
        self.assertEqual(len(server.search.ids(index)), len(set(server.search.ids(index))))
        self.assertEqual(self.counted("delivered"), lines - self.counted("dead_lettered") - self.counted("backlog"))

    def refused_for_a_while(self, server, index, words, refusing):
        """`refusing`: a context in which the server refuses."""
        self.configure(server, index=index)
        self.box.log(lines=FEW)
        with refusing:
            agent = self.box.start()
            promise.wait_until(lambda: words in self.sink(self.box.status(), "search")["last_error"], 30, words, 0.1)
            self.assertEqual(self.counted("backlog"), FEW)
            self.all_is_somewhere(server, index, FEW)
        promise.wait_until(lambda: self.counted("delivered") == FEW, 60, "all is delivered", 0.2)
        agent.stop()
        self.all_is_somewhere(server, index, FEW)

    @contextlib.contextmanager
    def blocked_by(self, server, index, name):
        path = f"/{index}/_settings"
        server.search.ask("PUT", path, {f"index.blocks.{name}": True})
        yield
        server.search.ask("PUT", path, {f"index.blocks.{name}": None})

    def a_blocked_index(self, server, index):
        make(server, index)
        self.refused_for_a_while(server, index, "blocked", self.blocked_by(server, index, "write"))

    def a_disk_at_its_flood_stage(self, server, index):
        make(server, index)
        self.refused_for_a_while(server, index, "blocked",
                                 self.blocked_by(server, index, "read_only_allow_delete"))

    def a_circuit_breaker(self, server, index):
        """That each request alone would pass: halved until they do not."""
        make(server, index)
        self.configure(server, index=index)
        self.box.log(lines=FEW)
        with cluster_setting(server, "network.breaker.inflight_requests.limit", "30kb"):
            self.finish()
        self.assertIn("halved", self.box.agent_log.read_text())
        self.all_is_somewhere(server, index, FEW)

    def a_full_queue(self, server, index):
        """Others ask so much that the queue of the write threads has no room."""
        make(server, index, settings={"number_of_shards": 4})
        make(server, f"{index}-others", settings={"number_of_shards": 4})
        sent = body(*[action("create", f"{index}-others"), json.dumps(STAMP)] * 12)
        over = threading.Event()

        def ask():
            while not over.is_set():
                bulk(server, sent)

        others = [threading.Thread(target=ask) for _ in range(12)]
        self.configure(server, index=index, concurrency=4, batch={"max_raw_size": "64KiB", "max_age": "1s"})
        self.box.log(lines=4000)
        for one in others:
            one.start()
        try:
            agent = self.box.start()
            promise.wait_until(lambda: self.sink(self.box.status(), "search")["retries"] > 0, 60, "too much", 0.1)
        finally:
            over.set()
            for one in others:
                one.join()
        promise.wait_until(lambda: self.counted("delivered") == 4000, 60, "all is delivered", 0.2)
        self.assertIn("429", self.sink(self.box.status(), "search")["past_error"])
        agent.stop()
        self.all_is_somewhere(server, index, 4000)

    def more_than_it_takes(self, server, index):
        """Its limit counts what a body unpacks to."""
        make(server, index)
        self.configure(server, index=index, batch={"max_raw_size": "4MiB", "max_age": "1s"})
        self.box.log(lines=8000)
        with open(self.box.logs / "app.log", "a") as log:
            log.write("x" * (2 << 20) + "\n")
        self.finish(dead=1)
        self.assertIn("413", self.box.call("dead-letters", "list").stdout)
        self.all_is_somewhere(server, index, 8001)

    def a_mapping_that_they_do_not_fit(self, server, index):
        make(server, index, {"properties": {"n": {"type": "long"}}})
        self.configure(server, index=index, format="json")
        self.write(json.dumps({"n": "none" if n % 100 == 7 else n}).encode() for n in range(FEW))
        self.finish(dead=4)
        self.assertEqual(self.counted("dead_lettered"), 4)
        self.assertRegex(self.box.call("dead-letters", "list").stdout, "(mapper|document)_parsing_exception")
        self.all_is_somewhere(server, index, FEW)

    def a_data_stream(self, server, index):
        make_data_stream_template(server, index)
        self.configure(server, index=None, data_stream=index)
        self.box.log(lines=FEW)
        self.finish()
        self.all_is_somewhere(server, index, FEW)

    def dropped_and_failed(self, server, index):
        """A pipeline drops some, which is a delivery, and fails others."""
        make(server, index)
        pipeline(server, index, DROP, FAIL)
        self.configure(server, index=index, pipeline=index, format="json")
        what = ("ok", "drop", "ok", "fail")
        self.write(json.dumps({"do": what[n % 4], "n": n}).encode() for n in range(FEW))
        self.finish(dead=FEW // 4)
        self.assertEqual(self.counted("dead_lettered"), FEW // 4)
        self.assertIn("fail_processor_exception", self.box.call("dead-letters", "list").stdout)
        self.all_is_somewhere(server, index, FEW, dropped=FEW // 4)

    def any_bytes(self, server, index):
        """NUL, ESC and what is no UTF-8: only that is replaced."""
        self.bytes_as(server, index, "lines", any_bytes.LINES)

    def any_bytes_that_may_be_json(self, server, index):
        self.bytes_as(server, index, "json", any_bytes.LINES + any_bytes.OBJECTS + any_bytes.NEARLY)

    def bytes_as(self, server, index, format, lines):
        make(server, index, {"dynamic": False})  # it is about bytes, not about types
        self.configure(server, index=index, format=format)
        any_bytes.write(self.box.logs / "app.log", lines)
        self.finish()
        self.all_is_somewhere(server, index, len(lines))
        told = sorted((source for _, _, source in server.search.documents(index)),
                      key=lambda source: field(source, "event.sequence"))
        told = [source.get("message", source) for source in told]
        self.assertEqual(len(told), len(lines))
        self.assertFalse([pair for pair in zip(lines, told) if not any_bytes.is_right(*pair)])


OF_EACH = (Promise.a_blocked_index, Promise.a_disk_at_its_flood_stage, Promise.a_circuit_breaker,
           Promise.a_full_queue, Promise.more_than_it_takes, Promise.a_mapping_that_they_do_not_fit,
           Promise.a_data_stream, Promise.any_bytes, Promise.any_bytes_that_may_be_json)


if __name__ == "__main__":
    promise.main()
