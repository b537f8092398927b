"""Into real search servers: each line is there once, whatever is killed meanwhile."""

import random

import promise
import search_servers  # found by promise

INDEX = "gateway-*"
LINES = 20000


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

    def kills_at_random(self, server, rounds):
        """kill -9 of the agent, again and again, while it reads and delivers."""
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
        """What it has acknowledged it keeps; what it has not is sent again under the same ids."""
        server = self.start("opensearch")
        self.configure(server)
        self.box.log(lines=LINES)
        agent = self.box.start()
        promise.wait_until(lambda: self.sink(self.box.status(), "search")["delivered"]["records"] > 0,
                           60, "some are delivered", 0.05)
        server.kill()
        promise.time_passes(agent, 1)
        server.start()
        promise.wait_until(lambda: self.sink(self.box.status(), "search")["delivered"]["records"] == LINES,
                           90, "all are delivered", 0.3)
        agent.stop()
        self.delivered(server)


if __name__ == "__main__":
    promise.main()
