"""Starting, stopping and being killed: one instance, no stale lock, an end within five seconds
whatever the sinks do, and the next life goes on where the last one was."""

import time

import promise


class Promise(promise.PromiseCase):
    def ready(self, agent):
        promise.wait_until(lambda: not agent.running() or self.box.call("status", "--json").returncode in (0, 1),
                           what="the agent answers", step=0.05)
        self.assertTrue(agent.running(), agent.output())

    def test_a_second_instance_names_the_first_ones_pid(self):
        agent = self.box.start()
        self.ready(agent)
        second = self.box.call("run", "--once", "--timeout", "5s")
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(agent.pid), second.stderr)
        self.assertTrue(agent.running())
        agent.stop()

    def test_no_lock_outlives_a_kill(self):
        self.box.log(lines=500)
        for _ in range(3):
            agent = self.box.start()
            self.ready(agent)
            agent.kill()
        self.box.run_once()
        self.box.check()

    def test_a_thousandth_of_a_second_of_life_leaves_nothing_broken(self):
        """The first start, killed while it makes its buffer."""
        self.box.log(lines=500)
        for i in range(25):
            agent = self.box.start()
            time.sleep(i / 2000)
            agent.kill()
        self.box.run_once()
        self.box.check()
        self.box.verify()

    def test_sigterm_ends_it_though_the_sink_is_dead(self):
        self.box.take_sink_away()
        agent = self.box.start()
        self.box.log(lines=50000, write="page")
        promise.wait_until(lambda: self.source(self.box.status())["read"]["records"] == 50000, what="all read", step=0.1)
        agent.stop(5)
        self.box.give_sink_back()
        self.box.run_once()
        self.box.check("--in-order")

    def test_sigterm_while_it_reads_at_full_speed(self):
        self.box.log(lines=300000, write="page")
        for once_read in (1 << 20, 0, 0, 0):  # the rest may be read by then: stopped as soon as it can be
            agent = self.box.start()
            promise.wait_until(lambda: agent.handles_sigterm() and agent.io()["rchar"] >= once_read, 30, "it reads")
            agent.stop(5)
        self.box.run_once()
        self.box.check("--in-order")

    def test_once_is_zero_only_when_all_is_delivered(self):
        self.box.log(lines=100)
        self.box.take_sink_away()
        agent = self.box.start("--once", "--timeout", "2s")
        self.assertNotEqual(agent.wait(10), 0)
        self.box.give_sink_back()
        self.box.run_once()
        self.box.check()

    def test_nothing_is_sent_twice_by_a_restart(self):
        self.box.log(lines=5000)
        self.box.run_once()
        before = self.box.objects()
        for _ in range(3):
            self.box.run_once()
        self.assertEqual(self.box.objects(), before)
        self.box.check("--in-order")

    def test_status_without_a_daemon_reads_the_buffer(self):
        self.box.log(lines=100)
        self.box.run_once()
        status = self.box.status()
        self.assertFalse(status["running"])
        source, sink = self.source(status), self.sink(status)
        self.assertTrue(source["configured"])
        self.assertEqual(source["committed"]["records"], 100)
        self.assertEqual(sink["delivered"]["records"], 100)

    def test_an_idle_agent_sleeps(self):
        self.box.log(lines=1000)
        agent = self.box.start()
        self.box.delivered(1000)
        promise.time_passes(agent, 2)
        before, seconds = self.switches(agent), 6
        promise.time_passes(agent, seconds)
        rate = (self.switches(agent) - before) / seconds
        agent.stop()
        # poll_interval is 1 s in these tests, so one wake-up a second is the config's, not a fault.
        self.assertLess(rate, 4, "wake-ups a second while idle")

    @staticmethod
    def switches(agent):
        import pathlib
        import re
        return sum(int(n) for task in pathlib.Path(f"/proc/{agent.pid}/task").iterdir()
                   for n in re.findall(r"voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text())[:1])


promise.main()
