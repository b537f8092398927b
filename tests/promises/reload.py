"""Another config while the agent runs: a good one is in use at once, a bad one is refused and the one
before it runs on; nothing is lost, doubled or left open by it, however often and whatever is asked."""

import json
import os
import signal
from pathlib import Path

import promise

BAD = 'compresion = "zstd"'


class Promise(promise.PromiseCase):
    def setUp(self):
        super().setUp()
        self.agent = None

    def start(self, env=None):
        self.agent = self.box.start(env=env)
        promise.wait_until(lambda: self.box.status()["running"], 10, "the agent answers", 0.05)

    # A config with an error does not tell where its agent listens.
    def ask(self, *command):
        return self.box.call(*command, "--socket", self.box.root / "status.sock", timeout=70)

    def status(self):
        """Of the running agent. For a moment of a reload nobody answers; then it is told of the config's file."""
        told = self.ask("status", "--json").stdout
        status = json.loads(told) if told.startswith("{") else {"running": False}
        if not status["running"]:
            raise LookupError(f"nobody answers: {told}")
        return status

    def reload(self):
        return self.ask("reload")

    def taken(self):
        result = self.reload()
        self.assertEqual(result.returncode, 0, result.stderr)

    def refused(self, *words):
        """What the command says; the status says the same, and the agent is the one from before."""
        result = self.reload()
        self.assertEqual(result.returncode, 1, result.stdout)
        status = self.status()
        self.assertEqual(status["pid"], self.agent.pid)
        self.assertEqual(status["health"], "degraded", status["reasons"])
        for word in words:
            self.assertIn(str(word), result.stderr)
            self.assertIn(str(word), " ".join(status["reasons"]))
            self.assertIn(str(word), self.agent.output())

    def bad_config(self):
        """With a key that is misspelt; where it stands."""
        text = self.box.config(text=BAD + "\n").read_text()
        return f"edgehose.toml:{text.splitlines().index(BAD) + 1}:"

    def two_keys(self):
        return [{"encryption_keys": [self.box.buffer_key(name)]} for name in ("first", "second")]

    def policy(self):
        return self.status()["buffer"]["when_full"]

    # --- good and bad --------------------------------------------------------------------------------

    def test_a_good_config_is_in_use_in_the_same_process(self):
        systemd = self.systemd(watchdog_usec=2_000_000)
        self.box.log(lines=100)
        self.start(systemd.env)
        self.box.delivered(100)
        self.box.config(buffer={"when_full": "drop_oldest"})
        self.taken()
        status = self.status()
        self.assertEqual((status["pid"], status["buffer"]["when_full"]), (self.agent.pid, "drop_oldest"))
        self.assertEqual((status["health"], status["reload"]["count"]), ("healthy", 1))
        promise.wait_until(lambda: len(systemd.told("READY=1")) == 2, 5, "systemd is told of the end")
        began, = systemd.told("RELOADING=1")
        self.assertEqual(len(systemd.told("MONOTONIC_USEC=")), 1)
        self.assertLess(began, systemd.told("READY=1")[1])
        self.assertEqual(systemd.told("STOPPING=1"), [], "systemd would take it for the end")
        fed = len(systemd.told("WATCHDOG=1"))
        promise.wait_until(lambda: len(systemd.told("WATCHDOG=1")) > fed + 1, 10, "the watchdog is fed on")
        self.box.log(lines=100, first=100, append=True, manifest=self.box.root / "more")
        self.box.delivered(200)
        self.agent.stop()

    def test_a_bad_config_is_refused_with_its_line(self):
        self.start()
        place = self.bad_config()
        self.refused(place, "compresion", "compression")
        self.box.log(lines=100)
        self.box.delivered(100)
        self.box.config()
        self.taken()
        self.assertEqual(self.status()["reasons"], [])
        self.agent.stop()
        self.box.check()

    def test_a_bad_config_that_does_not_tell_where_its_agent_is_names_its_error(self):
        self.start()
        place = self.bad_config()
        result = self.box.call("reload")
        self.assertEqual(result.returncode, 1)
        self.assertIn(place, result.stderr)
        self.assertIn("--socket DATA_DIR/status.sock", result.stderr)
        self.agent.stop()
        self.box.config()

    def test_a_hangup_asks_the_same(self):
        self.box.log(lines=100)
        self.start()
        place = self.bad_config()
        self.agent.popen.send_signal(signal.SIGHUP)
        promise.wait_until(lambda: place in " ".join(self.status()["reasons"]), 10, "it is refused", 0.05)
        self.box.config(buffer={"when_full": "drop_newest"})
        self.agent.popen.send_signal(signal.SIGHUP)
        promise.wait_until(lambda: self.policy() == "drop_newest", 10, "it is in use", 0.05)
        self.assertEqual(self.status()["health"], "healthy")
        self.agent.stop()

    def test_what_a_start_would_refuse_is_refused(self):
        self.start()
        self.box.config(agent={"data_dir": self.box.root / "elsewhere"})
        self.refused("data_dir", "restart")
        self.box.config(sink={"encrypt": {"age": ["age1nobody"]}})
        self.refused("recipient")
        self.box.config(buffer={"encryption_keys": [{"file": self.box.root / "nokey"}]})
        self.refused("nokey")
        self.assertFalse((self.box.root / "elsewhere").exists())
        self.agent.stop()

    def test_a_start_that_fails_goes_back(self):
        """Only the buffer itself can tell that no key of the new config opens it."""
        keys = self.two_keys()
        self.box.config(buffer=keys[0])
        self.box.log(lines=100)
        self.start()
        self.box.delivered(100)
        self.box.config(buffer=keys[1])
        self.refused("key")
        self.box.log(lines=100, first=100, append=True, manifest=self.box.root / "more")
        self.box.delivered(200)
        self.agent.stop()
        self.box.config(buffer=keys[0])

    def test_a_stop_while_such_a_start_fails_is_a_stop(self):
        keys = self.two_keys()
        self.box.config(buffer=keys[0])
        self.start()
        self.box.config(buffer=keys[1])
        self.agent.popen.send_signal(signal.SIGHUP)
        environment = Path(f"/proc/{self.agent.pid}/environ")
        promise.wait_until(lambda: b"EDGEHOSE_HANDOVER=" in environment.read_bytes(), 10, "it starts anew", 0.0005)
        self.agent.stop()
        self.box.config(buffer=keys[0])

    def test_a_hangup_while_the_config_is_loaded_does_not_end_it(self):
        slow = self.box.root / "slow.key"
        os.mkfifo(slow, 0o600)
        self.box.config(buffer={"encryption_keys": [{"file": slow}]})
        agent = self.box.start()
        promise.wait_until(lambda: agent.blocks(signal.SIGHUP), 10, "hangups are held")
        agent.popen.send_signal(signal.SIGHUP)
        promise.time_passes(agent, 0.3)
        self.assertTrue(agent.running(), agent.output())

    def test_only_its_own_agent_is_asked(self):
        self.start()
        other = self.box.root / "other.toml"
        other.write_text(self.box.config_path.read_text())
        self.box.config_path = other
        result = self.box.call("reload")
        self.assertEqual(result.returncode, 1)
        self.assertIn("edgehose.toml, not", result.stderr)
        self.agent.stop()
        result = self.box.call("reload")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no agent is running", result.stderr)

    def test_run_once_keeps_its_config(self):
        self.box.take_sink_away()
        self.box.log(lines=100)
        agent = self.box.start("--once", "--timeout", "4s")
        promise.wait_until(agent.handles_sigterm, 5, "it runs")
        agent.popen.send_signal(signal.SIGHUP)
        self.assertEqual(agent.wait(10), 3)
        self.assertNotIn("starts anew", agent.output())

    # --- under load ----------------------------------------------------------------------------------

    def test_nothing_is_lost_or_doubled_under_load(self):
        writer = self.box.writer(rate=3000, lines=0)
        self.start()
        for i in range(6):
            self.box.config(buffer={"when_full": ("block", "drop_oldest")[i % 2]})
            self.taken()
        self.stopped_with_everything(writer)
        self.assertEqual(self.agent.output().count("starts anew"), 6)

    def test_a_thousand_hangups_with_the_sink_away(self):
        self.box.take_sink_away()
        writer = self.box.writer(rate=500, lines=0)
        self.start()
        for i in range(1000):
            if i % 2:
                self.bad_config()
            else:
                self.box.config(buffer={"when_full": ("block", "drop_newest")[i // 2 % 2]})
            self.agent.popen.send_signal(signal.SIGHUP)
            promise.time_passes(self.agent, 0.005)
        self.assertTrue(self.agent.running(), self.agent.output()[-2000:])
        self.box.config(buffer={"when_full": "drop_oldest"})
        self.agent.popen.send_signal(signal.SIGHUP)
        promise.wait_until(lambda: self.policy() == "drop_oldest", 15, "the last good config is in use", 0.1)
        self.assertGreater(self.status()["reload"]["count"], 3)
        self.assertIn("refused", self.agent.output())
        self.box.give_sink_back()
        self.stopped_with_everything(writer)
        self.assert_bounded_log()

    def stopped_with_everything(self, writer):
        self.box.stop_writer(writer)
        written = int(self.box.manifest.read_text().splitlines()[1].split("lines=")[1].split()[0])
        self.box.delivered(written, seconds=40)
        self.agent.stop()
        self.box.check("--in-order")
        self.box.verify()

    def test_nothing_stays_open(self):
        def count():
            return len(os.listdir(f"/proc/{self.agent.pid}/fd"))
        self.box.log(lines=100)
        self.start()
        self.taken()
        self.box.delivered(100)
        self.taken()
        before = count()
        for _ in range(5):
            self.taken()
        promise.wait_until(lambda: count() <= before, 5, "no more descriptors than before")
        self.agent.stop()

    def test_a_stop_behind_a_hangup_is_a_stop(self):
        self.start()
        self.agent.popen.send_signal(signal.SIGHUP)
        promise.time_passes(self.agent, 1.9)  # about when it is heeded
        self.agent.popen.send_signal(signal.SIGHUP)
        self.agent.stop()


promise.main()
