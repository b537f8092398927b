"""Input as it comes: too long, without an end, with any byte, unreadable, not there yet."""

import json
import os
import subprocess

import promise


class Promise(promise.PromiseCase):
    def test_a_line_of_50_mb_is_truncated_and_the_next_is_intact(self):
        self.box.config(source={"max_record_bytes": "1MiB"})
        with open(self.box.logs / "app.log", "wb") as f:
            f.write(b"before\n")
            for _ in range(50):
                f.write(b"x" * (1 << 20))
            f.write(b"\nafter\n")
        agent = self.box.start()
        self.box.delivered(3, seconds=15)
        peak = agent.status_field("VmHWM")
        anon = agent.status_field("RssAnon")
        status = self.box.status()
        agent.stop()
        before, long, after = self.box.lines()
        self.assertEqual((before, after), (b"before", b"after"))
        self.assertLessEqual(len(long), 1 << 20)
        self.assertGreater(len(long), (1 << 20) - 1024)
        self.assertEqual(set(long), {ord("x")})
        self.assertEqual(self.source(status)["truncated_records"], 1)
        self.assertLess(anon, 40 << 10, f"kB of anonymous memory (peak of all: {peak})")

    def test_the_last_line_without_its_end_waits_then_ships(self):
        self.box.config(source={"partial_line_timeout": "1s"})
        (self.box.logs / "app.log").write_bytes(b"one\ntwo without an end")
        agent = self.box.start()
        self.box.delivered(2)
        agent.stop()
        self.assertEqual(self.box.lines(), [b"one", b"two without an end"])

    def test_every_byte_passes_through_lines(self):
        body = bytes(b for b in range(256) if b != 10)
        (self.box.logs / "app.log").write_bytes(body + b"\n\n" + b"\r\n" + b"end\n")
        self.box.run_once()
        self.assertEqual(b"\n".join(self.box.lines()).count(body), 1)
        self.assertEqual(self.box.lines()[-1], b"end")

    def test_every_byte_makes_valid_ndjson(self):
        self.box.config(sink={"format": "ndjson"})
        self.box.log(lines=2000, bytes="any")
        self.box.run_once()
        self.box.check()
        for line in self.box.lines():
            json.loads(line.decode("utf8", "strict"))

    def as_another_user(self, path):
        """Root may read any file: the agent is to be somebody who may not read this one."""
        path.chmod(0)
        prefix = []
        if os.geteuid() == 0:
            if subprocess.run(["setpriv", "--version"], capture_output=True).returncode != 0:
                self.skipTest("runs as root and has no setpriv to be somebody else")
            subprocess.run(["chown", "-R", "65534:65534", self.box.root], check=True)
            path.chmod(0)
            prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            if subprocess.run([*prefix, "test", "-x", self.box.command()[0]]).returncode != 0:
                self.skipTest("another user may not run the binary where it is")
        command = self.box.command
        self.box.command = lambda *a: [*prefix, *map(str, command(*a))]

    def test_run_once_fails_and_names_what_it_could_not_read(self):
        self.box.log(lines=50)
        path = self.box.logs / "secret.log"
        path.write_text("unread\n")
        self.as_another_user(path)
        result = self.box.call("run", "--once", "--timeout", "10s")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"not delivered: source app: .*secret\.log")
        self.assertEqual(len(self.box.lines()), 50, "what can be read is delivered")

    def test_an_unreadable_file_is_named_and_read_once_it_can_be(self):
        self.box.log(lines=50)
        path = self.box.logs / "app.log"
        self.as_another_user(path)
        agent = self.box.start()
        promise.wait_until(lambda: "app.log" in agent.output(), what="the log names the file")
        self.assertTrue(agent.running())
        promise.wait_until(lambda: "app.log" in self.source(self.box.status())["problem"], what="status names the file")
        path.chmod(0o644)
        self.box.delivered(50, seconds=15)
        agent.stop()
        self.box.check()

    def test_a_file_that_comes_later_is_found(self):
        agent = self.box.start()
        promise.wait_until(lambda: self.box.call("status", "--json").returncode in (0, 1), what="it runs")
        deep = self.box.logs / "later.log"
        self.box.log(lines=20, file=deep.name)
        self.box.delivered(20)
        agent.stop()
        self.box.check()

    def test_a_directory_of_logs_disappears_and_returns(self):
        """Unmounted and mounted again, with lines that came meanwhile."""
        self.box.log(lines=1000)
        agent = self.box.start()
        self.box.delivered(1000)
        away = self.box.root / "logs.away"
        self.box.logs.rename(away)
        promise.time_passes(agent, 3)
        self.assertTrue(agent.running())
        away.rename(self.box.logs)
        self.box.log(lines=500, first=1000, append=True, manifest=self.box.root / "more")
        self.box.delivered(1500, seconds=20)
        agent.stop()
        header = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{header}\nfirst=0 lines=1500 bytes=0 rotations=0\n")
        self.box.check("--in-order")

    def test_directories_that_come_later_are_found(self):
        self.box.config(source={"paths": [f"{self.box.logs}/**/*.log"]})
        agent = self.box.start()
        (self.box.logs / "a/b/c").mkdir(parents=True)
        self.box.log(lines=20, file="a/b/c/x.log")
        self.box.delivered(20)
        agent.stop()
        self.box.check()


promise.main()
