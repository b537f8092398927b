"""Upgrade, and back by one release, with a full buffer: both drain it. What the later release would write
differently comes with `buffer upgrade` only, and the buffer that the earlier one cannot read then is set
aside, while logs are read on."""

import json
import os
import time
from pathlib import Path

import promise


class Promise(promise.PromiseCase):
    LINES = 40000

    def setUp(self):
        super().setUp()
        later = promise.ROOT / "build-tests/tests/promises/edgehose_later"
        self.this, self.later = self.box.agent, os.environ.get("EDGEHOSE_LATER", str(later))
        self.lines = 0
        # Full: the sink is away.
        self.box.take_sink_away()
        self.write(self.LINES)
        self.life(self.this, self.LINES)

    def write(self, lines):
        more = {"append": True, "manifest": self.box.root / "more"} if self.lines else {}
        self.box.log(lines=lines, first=self.lines, write="page", **more)
        self.lines += lines
        text = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{text}\nfirst=0 lines={self.lines} bytes=0 rotations=0\n")

    def committed(self, lines):
        promise.wait_until(lambda: any(s["committed"]["records"] == lines for s in self.box.status()["sources"]),
                           20, f"{lines} lines are in the buffer", 0.1)

    def life(self, agent, lines, end="stop"):
        """One life of an agent, until its buffer has taken in so many lines."""
        self.box.agent = agent
        process = self.box.start()
        self.committed(lines)
        getattr(process, end)()

    def format(self):
        return self.box.status()["buffer"]["format"]

    def set_aside(self):
        return sorted(self.box.data.glob("set-aside-*"))

    def children(self, pid):
        def parent(stat):
            return int(stat.read_text().rsplit(")", 1)[1].split()[1])

        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                found += [stat] if parent(stat) == pid else []
            except OSError:
                continue  # it has ended
        return found

    def is_drained_now(self, aside):
        """Whether a process is there that answers for it."""
        told = self.box.call("status", "--json", "--set", f"agent.data_dir={aside}")
        return told.returncode <= 2 and told.stdout.startswith("{") and json.loads(told.stdout)["running"]

    def upgrade(self):
        self.box.agent = self.later
        told = self.box.call("buffer", "upgrade")
        self.assertEqual(told.returncode, 2, told.stderr)
        self.assertIn("no way back", told.stdout)
        self.assertEqual(self.format(), "1.3", "it is only told")
        done = self.box.call("buffer", "upgrade", "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.format(), "1.4")

    def one_set_aside(self):
        """By this release, with all but the last 500 lines in it; the later one, which can read it, is to go on."""
        self.upgrade()
        self.write(500)
        self.life(self.this, 500)
        self.box.agent = self.later
        aside, = self.set_aside()
        return aside

    def drained(self, agent):
        promise.wait_until(lambda: not self.set_aside(), 30, "nothing is left of it", 0.1)
        self.box.delivered(self.lines, 30)
        agent.stop()
        self.box.check()
        self.box.verify()

    def test_a_later_release_can_be_taken_back(self):
        """It reads what is there, adds to it and delivers some of it; then the earlier one goes on."""
        self.write(1000)
        self.box.agent = self.later
        agent = self.box.start()
        self.committed(self.lines)
        status = self.box.status()
        self.assertEqual(status["buffer"]["format"], "1.3")
        self.assertTrue(any("edgehose buffer upgrade" in note for note in status["notes"]), status["notes"])
        self.box.give_sink_back()
        promise.wait_until(lambda: len(self.box.objects()) > 3, 10, "some is delivered")
        self.box.take_sink_away()
        agent.kill()

        self.write(1000)
        self.box.give_sink_back()
        self.box.agent = self.this
        self.box.run_once()
        self.box.check("--in-order")
        self.assertEqual(self.format(), "1.3")
        self.assertEqual(self.set_aside(), [])
        self.box.verify()

    def test_an_upgraded_buffer_is_set_aside_and_drained_when_its_release_is_back(self):
        self.upgrade()
        self.write(1000)
        self.life(self.later, self.lines, "kill")  # the copies outside are older than the buffer

        before = self.lines
        self.write(500)
        self.box.agent = self.this
        self.assertRegex(self.box.call("check").stderr, "warning: .* sets it aside", "no error: tailing goes on")
        self.life(self.this, 500)
        aside, = self.set_aside()
        status = self.box.status()
        self.assertEqual(status["buffer"]["set_aside"], 1)
        self.assertTrue(any("set aside" in why for why in status["reasons"]), status["reasons"])
        self.box.give_sink_back()
        self.box.run_once()
        self.assertEqual(len(self.box.lines()), 500, "what came since, and nothing that is set aside")
        self.assertTrue((aside / "buffer.mdb").stat().st_size > 100_000)

        self.box.agent = self.later
        agent = self.box.start()
        self.box.delivered(before + 500, 30)
        promise.wait_until(lambda: not self.set_aside(), 10, "nothing is left of it", 0.1)
        agent.stop()
        self.box.check()
        self.box.verify()

    def test_killed_and_stopped_while_it_drains_what_is_set_aside(self):
        """Two processes deliver to one directory; wherever they end, each line is there once."""
        aside = self.one_set_aside()
        for end in ("kill", "stop", "kill"):
            agent = self.box.start()
            promise.wait_until(lambda: self.is_drained_now(aside), 20, "it is being drained", 0.1)
            began = time.monotonic()
            getattr(agent, end)()
            self.assertLess(time.monotonic() - began, 5)
            promise.wait_until(lambda: not self.is_drained_now(aside), 5, "the drain ends too", 0.1)
        self.box.give_sink_back()
        agent = self.box.start()
        promise.wait_until(lambda: len(self.box.objects()) > 2, 20, "some is delivered")
        agent.kill()
        agent = self.box.start()
        self.drained(agent)

    def test_a_reload_while_it_drains_begins_the_drain_anew(self):
        aside = self.one_set_aside()
        agent = self.box.start()
        promise.wait_until(lambda: self.is_drained_now(aside), 20, "it is being drained", 0.1)
        told = self.box.call("reload")
        self.assertEqual(told.returncode, 0, told.stderr)
        promise.wait_until(lambda: self.box.status()["reload"]["count"] == 1, 20, "it runs again", 0.1)
        promise.wait_until(lambda: self.is_drained_now(aside), 10, "it is being drained again", 0.1)
        self.assertEqual(len(self.children(agent.pid)), 1, "one drain at a time")
        self.box.give_sink_back()
        self.drained(agent)
        self.assertNotIn("stays as it is", agent.output())

    def test_a_reload_whose_start_fails_while_it_drains_leaves_one_drain(self):
        first, second = self.box.buffer_key("first"), self.box.buffer_key("second")
        aside = self.one_set_aside()
        self.box.config(buffer={"encryption_keys": [first]})
        agent = self.box.start()
        promise.wait_until(lambda: self.is_drained_now(aside), 20, "it is being drained", 0.1)
        self.box.config(buffer={"encryption_keys": [second]})
        told = self.box.call("reload", timeout=70)
        self.assertEqual(told.returncode, 1, told.stdout)
        self.box.config(buffer={"encryption_keys": [first]})
        promise.wait_until(lambda: self.is_drained_now(aside), 20, "it is being drained again", 0.1)
        self.assertEqual(len(self.children(agent.pid)), 1, "one drain at a time")
        self.box.give_sink_back()
        self.drained(agent)
        self.assertNotIn("is in use by process", agent.output())

    def test_a_running_agent_upgrades_its_buffer(self):
        self.box.agent = self.later
        agent = self.box.start()
        promise.wait_until(lambda: self.box.status()["running"], 10, "it runs", 0.1)
        self.upgrade()
        again = self.box.call("buffer", "upgrade")
        self.assertEqual((again.returncode, "nothing to do" in again.stdout), (0, True), again.stdout)
        agent.stop()
        self.box.give_sink_back()
        self.box.run_once()
        self.box.check("--in-order")
        self.assertEqual(self.format(), "1.4")

    def test_no_third_buffer_is_set_aside(self):
        """What is set aside is never deleted, so there is an end to it: then the start is refused."""
        for _ in range(2):
            self.upgrade()
            self.write(100)
            self.life(self.this, 100)
        self.assertEqual(len(self.set_aside()), 2)
        self.upgrade()
        self.box.agent = self.this
        refused = self.box.call("run", "--once", "--timeout", "5s")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("2 buffers are set aside", refused.stderr)
        self.assertEqual(len(self.set_aside()), 2)
        checked = self.box.call("check")
        self.assertEqual(checked.returncode, 1)
        self.assertIn("it does not start with more", checked.stderr)
        self.box.agent = self.later
        self.assertEqual(self.format(), "1.4", "nothing was changed")


promise.main()
