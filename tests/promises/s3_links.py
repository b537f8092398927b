"""Into a bucket over links and through outages that last: a modem's rate, half-open connections,
hours of refusal in simulated time (libfaketime runs the agent's clocks ahead), and what all of it
costs."""

import json
import re
import subprocess
import threading
import time
from pathlib import Path

import promise
from clock import faketime, fast_clocks
from s3 import SECRET, FaultServer, refusal
from slow_link import SlowLink  # found by promise

MODEM = {"rate": 8000, "delay": 1.5}  # 64 kbit/s, a round trip of 3 s


class Promise(promise.PromiseCase):
    def setUp(self):
        super().setUp()
        self.server = self.start_server()
        self.configure()

    def start_server(self, *arguments):
        server = FaultServer(*arguments)
        self.addCleanup(server.close)
        return server

    def configure(self, endpoint=None, agent=None, **options):
        keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}
        self.sink_options = {"type": "s3", "path": None, "bucket": "telemetry",
                             "region": "eu-west-1", "endpoint": endpoint or self.server.url,
                             "credentials": keys, **options}
        self.box.config(agent=agent, sinks={"cloud": self.sink_options})

    def through(self, link, **options):
        self.configure(endpoint=f"http://127.0.0.1:{link.port}", **options)

    def cloud(self):
        return self.sink(self.box.status(), "cloud")

    def all_is_sent(self):
        promise.wait_until(lambda: self.cloud()["backlog"]["records"] == 0, 60, "all sent", 0.2)

    def delivered(self):
        """Everything that was written is in the bucket, once."""
        self.server.download(self.box.out)
        self.box.check("--in-order")

    def stored_bytes(self):
        self.server.download(self.box.out)
        return sum(o.stat().st_size for o in self.box.objects())

    def fast_clocks(self, speed):
        if not faketime():
            self.skipTest("libfaketime is not installed")
        return fast_clocks(speed)

    @staticmethod
    def anonymous(agent):
        """Bytes of memory that are the agent's own."""
        text = Path(f"/proc/{agent.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Anonymous:\s+(\d+)", text, re.M)[1]) * 1024

    # --- links -----------------------------------------------------------------------------------

    def test_a_modem_carries_hardly_more_than_the_objects(self):
        with SlowLink(self.server.port, **MODEM) as link:
            self.through(link, batch={"max_size": "256KiB", "max_age": "1s"})
            self.box.log(lines=15000)
            self.box.run_once(timeout=120)
            self.delivered()
            payload = self.stored_bytes()
            self.assertGreater(payload, 60_000)
            self.assertLessEqual(link.sent, 1.05 * payload)
            self.assertEqual(len(self.server.log()), len(self.box.objects()), "nothing sent twice")

    def test_a_half_open_connection_is_abandoned_within_a_minute(self):
        with SlowLink(self.server.port, rate=100_000) as link:
            self.through(link, batch={"max_size": "1MiB", "max_age": "1s"})
            self.box.log(lines=30000)
            agent = self.box.start()
            promise.wait_until(lambda: link.sent > 20_000, 20, "an upload is under way")
            link.forget()
            begin = time.monotonic()
            promise.wait_until(lambda: self.cloud()["retries"] > 0, 75, "given up", 0.2)
            took = time.monotonic() - begin
            self.assertGreater(took, 20, "a link may be quiet for a while")
            self.assertLess(took, 66)
            self.all_is_sent()
            agent.stop()
        self.delivered()

    def test_an_answer_of_one_byte_a_second_is_not_waited_for(self):
        self.server.faults({"do": "drip", "body": "x" * 100000})
        self.box.log(lines=200)
        agent = self.box.start()
        begin = time.monotonic()
        promise.wait_until(lambda: self.cloud()["retries"] > 0, 90, "given up", 0.2)
        self.assertGreater(time.monotonic() - begin, 50, "judged over a window, not at once")
        self.all_is_sent()
        agent.stop()
        self.delivered()

    # --- answers ---------------------------------------------------------------------------------

    def test_retry_after_is_obeyed(self):
        self.server.faults(refusal(503, "SlowDown", headers={"Retry-After": "4"}))
        self.box.log(lines=200)
        self.box.run_once(timeout=30)
        first, second = self.server.log()
        self.assertGreaterEqual(second["time"] - first["time"], 4)
        self.delivered()

    def test_over_tls_the_servers_time_signs_where_this_machines_is_wrong(self):
        subprocess.run(["bash", promise.SUPPORT / "make_certs.sh", self.box.root], check=True)
        self.server = self.start_server("--tls", self.box.root / "server.pem",
                                        self.box.root / "server.key")
        tls = {"ca_file": self.box.root / "ca.pem"}
        self.configure(endpoint=self.server.url, tls=tls, retry={"initial": "1h", "max": "1h"})
        self.server.faults({**refusal(403, "RequestTimeTooSkewed"), "date_offset": 7200})
        self.box.log(lines=200)
        self.box.run_once()
        first, second = (entry["headers"]["x-amz-date"] for entry in self.server.log())
        hours = int(second[9:11]) - int(first[9:11])
        self.assertEqual(hours % 24, 2, f"signed {first}, then {second}")
        self.assertRegex(self.box.agent_log.read_text(), "clock is .* behind the server's")
        self.delivered()

    # --- hours -----------------------------------------------------------------------------------

    def hours(self, agent, count, speed):
        """So long of the agent's time; its own memory in 16 looks an hour, MB."""
        looks = []
        for _ in range(int(16 * count)):
            promise.time_passes(agent, 3600 / speed / 16)
            looks.append(self.anonymous(agent) / 1e6)
        self.assertTrue(agent.running())
        return looks

    def assert_flat(self, looks):
        """Once all that is needed was needed once, nothing is added: in the last half hour."""
        self.assertLess(max(looks), 12, looks)
        self.assertLess(max(looks[-8:]) - max(looks[-12:-8]), 0.5, looks)

    def test_an_hour_of_403_probes_slowly_and_keeps_everything(self):
        env = self.fast_clocks(120)
        self.server.faults(refusal(403, "AccessDenied", times=10_000))
        self.configure(retry={"initial": "1s", "max": "5m"})
        self.box.log(lines=5000)
        agent = self.box.start(env=env)
        self.assert_flat(self.hours(agent, 1, 120))
        probes = len(self.server.log())
        self.assertGreater(probes, 8, "it goes on asking")
        self.assertLess(probes, 60, "parked: about once in five minutes")
        self.assertLess(sum(entry["size"] for entry in self.server.log()[1:]), 2_000_000)
        self.assert_bounded_log()
        agent.stop()
        self.server.faults()
        self.box.run_once(timeout=60)
        self.delivered()

    def test_an_hour_without_a_link_costs_no_memory_and_nothing_is_lost(self):
        env = self.fast_clocks(120)
        with SlowLink(self.server.port) as link:
            link.down()
            self.through(link, retry={"initial": "1s", "max": "30s"})
            self.box.log(lines=5000)
            agent = self.box.start(env=env)
            writer = self.box.writer(lines=0, first=5000, append=True, rate=800, stamps=1000,
                                     manifest=self.box.root / "part")
            looks = self.hours(agent, 1.5, 120)  # on a busy machine all of it was needed only in the second half
            self.box.stop_writer(writer)
            self.assert_flat(looks)
            self.assertGreater(self.cloud()["retries"], 50)
            self.assert_bounded_log()
            link.up()
            self.all_is_sent()
            agent.stop()
        text = (self.box.root / "part").read_text().splitlines()
        counts = dict(word.split("=") for word in text[-1].split())
        lines = 5000 + int(counts["lines"])
        self.box.manifest.write_text(f"{text[0]}\nfirst=0 lines={lines} bytes=0 rotations=0\n")
        self.delivered()

    # --- what a metered link is charged for ------------------------------------------------------

    def test_the_agents_upload_rate_is_shared_by_all_its_sinks(self):
        rate = 64 << 10
        with SlowLink(self.server.port) as link:  # it counts what goes over the wire
            self.through(link, prefix="one/", compression="none")
            one = self.sink_options
            self.box.config(agent={"max_upload_rate": "64KiB"},
                            sinks={"one": one, "two": {**one, "prefix": "two/"}})
            self.box.log(lines=2500)
            begin = time.monotonic()
            self.box.run_once(timeout=60)
            took = time.monotonic() - begin
            self.assertGreater(link.sent, 5 * rate)
            burst = max(rate / 4, 16 << 10)
            self.assertLessEqual(link.sent - burst, 1.05 * rate * took)

    def test_wire_bytes_are_counted_with_retries_and_kept(self):
        with SlowLink(self.server.port) as link:
            self.through(link)
            self.server.faults({"do": "lost"}, refusal(503, "SlowDown"))
            self.box.log(lines=2000)
            self.box.run_once()
            first = self.cloud()["wire_bytes"]
            self.assertEqual(first["ever"], {"sent": link.sent, "received": link.received})
            self.assertEqual(first["today"], first["this_month"])
            self.box.log(lines=2000, first=2000, append=True, manifest=self.box.root / "part")
            agent = self.box.start()
            promise.wait_until(lambda: self.cloud()["delivered"]["records"] == 4000, 10, "sent")
            running = self.cloud()["wire_bytes"]
            self.assertEqual(running["ever"]["sent"], link.sent)
            agent.stop()
            self.assertEqual(self.cloud()["wire_bytes"]["ever"]["sent"], link.sent)
        screen = self.box.call("status").stdout
        self.assertRegex(screen, r"on the wire today [0-9.]+ \w+ out, [0-9.]+ \w+ in; this month")
        self.assertLessEqual(max(map(len, screen.splitlines())), 80)

    # --- check --connect -------------------------------------------------------------------------

    def check(self):
        begin = time.monotonic()
        result = self.box.call("check", "--connect")
        self.assertLess(time.monotonic() - begin, 5)
        return result

    def test_check_connect_tells_whether_objects_would_be_taken(self):
        good = self.check()
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        self.assertIn("nothing is left behind", good.stdout)
        self.assertEqual(self.server.log(), [], "no object was put")
        denied = {**refusal(403, "AccessDenied"), "method": "POST", "path": "/telemetry/"}
        self.server.get("/__faults", json.dumps([denied]).encode())
        bad = self.check()
        self.assertEqual(bad.returncode, 1)
        self.assertIn("s3:PutObject", bad.stderr)
        self.configure(endpoint="http://127.0.0.1:1")
        self.assertRegex(self.check().stderr, "sink cloud: http://127.0.0.1:1")
        self.assertNotIn(SECRET, good.stdout + good.stderr + bad.stdout + bad.stderr)

    def test_check_connect_tries_a_directory_and_leaves_nothing(self):
        self.box.config()
        good = self.check()
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertRegex(good.stdout, r"archive \(directory\):\n +ok +a file was written")
        self.assertEqual(list(self.box.out.iterdir()), [])
        self.box.take_sink_away()
        self.assertEqual(self.check().returncode, 1)


if __name__ == "__main__":
    promise.main()
