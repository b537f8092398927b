"""As a service: systemd is told when it is ready, that it lives and that it stops; a long opening is
heard to go on, and SIGTERM ends it; a data_dir that is taken away is noticed."""

import os
import shutil

import promise


class Promise(promise.PromiseCase):
    def life(self, systemd):
        self.box.log(lines=100)
        agent = self.box.start(env=systemd.env)
        self.ready(systemd)
        self.box.delivered(100)
        self.assertEqual(systemd.told("STOPPING=1"), [])
        agent.stop()
        self.assertEqual(len(systemd.told("READY=1")), 1)
        self.assertEqual(len(systemd.told("STOPPING=1")), 1)
        self.assertLess(systemd.told("READY=1")[0], systemd.told("STOPPING=1")[0])

    def test_systemd_is_told_of_the_start_and_the_stop(self):
        systemd = self.systemd()
        self.life(systemd)
        self.assertEqual(systemd.told("WATCHDOG=1"), [], "nobody asked for it")

    def test_an_abstract_socket_is_told_too(self):
        self.life(self.systemd(f"@edgehose-test-{os.getpid()}"))

    def test_the_watchdog_is_fed_twice_as_often_as_it_bites(self):
        systemd = self.systemd(watchdog_usec=4_000_000)
        agent = self.box.start(env=systemd.env)
        self.ready(systemd)
        promise.wait_until(lambda: len(systemd.told("WATCHDOG=1")) >= 4, 30, "WATCHDOG=1", 0.01)
        agent.stop()
        fed = systemd.told("WATCHDOG=1")
        # Fed every two seconds; three such pauses take six, less what the first message waited.
        self.assertGreater(fed[3] - fed[0], 4)
        self.assertLess(max(b - a for a, b in zip(fed, fed[1:])), 4, "it would have bitten")

    def test_a_watchdog_of_another_process_is_not_ours(self):
        systemd = self.systemd(watchdog_usec=200_000)
        systemd.env["WATCHDOG_PID"] = "1"
        agent = self.box.start(env=systemd.env)
        self.ready(systemd)
        promise.time_passes(agent, 1)
        agent.stop()
        self.assertEqual(systemd.told("WATCHDOG=1"), [])

    # --- a long opening ------------------------------------------------------------------------------

    def long_opening(self):
        """A damaged buffer on a disk that gives two MiB a second to each who reads: its search takes 16 s."""
        self.box.take_sink_away()
        self.box.log(lines=20000, write="page")
        agent = self.box.start()
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == 20000, 10,
                           "all committed", 0.1)
        agent.stop()
        self.box.give_sink_back()
        buffer = self.box.data / "buffer.mdb"
        size = buffer.stat().st_size
        with open(buffer, "r+b") as f:
            f.write(bytes(8192))
            f.seek(0, os.SEEK_END)
            for _ in range(128):
                f.write(bytes(1 << 20))
        crawls = {"LD_PRELOAD": str(promise.TOOLS / "libhanging_calls.so"), "CRAWL_BELOW": str(buffer)}
        return buffer, size, crawls

    def test_sigterm_ends_a_long_opening_and_nothing_is_lost(self):
        buffer, size, crawls = self.long_opening()
        systemd = self.systemd()
        agent = self.box.start(env={**systemd.env, **crawls})
        promise.wait_until(lambda: len(systemd.told("EXTEND_TIMEOUT_USEC=")) >= 2, 15, "more time is asked for")
        self.assertTrue(systemd.told("STATUS=searching the damaged buffer for records"), systemd.messages)
        self.assertIn("searching the damaged buffer", agent.output())
        self.assertEqual(systemd.told("READY=1"), [])
        agent.stop(5)
        self.assertIn("broken off", agent.output())
        self.assertLess(len(agent.output().splitlines()), 12)
        os.truncate(buffer, size)
        agent = self.box.start()
        self.box.delivered(20000)
        agent.stop()
        self.box.check()
        self.box.verify()

    def test_the_time_limit_ends_a_long_opening(self):
        _, _, crawls = self.long_opening()
        agent = self.box.start("--once", "--timeout", "2s", env={**os.environ, **crawls})
        self.assertEqual(agent.wait(8), 3)
        self.box.left_damaged = True

    # --- a data_dir that is taken away ---------------------------------------------------------------

    def test_a_deleted_data_dir_is_put_back_and_nothing_is_lost(self):
        self.box.take_sink_away()
        self.box.log(lines=1000)
        agent = self.box.start()
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == 1000, 10, "committed", 0.1)
        (self.box.logs / "app.log").unlink()  # the buffer alone has it
        shutil.rmtree(self.box.data)
        promise.wait_until(lambda: (self.box.data / "buffer.mdb").exists(), 60, "it is put back", 0.1)
        self.box.log(lines=500, first=1000, manifest=self.box.root / "more")
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == 1500, 10, "committed", 0.1)
        agent.kill()
        self.assertIn("deleted under the agent", agent.output())
        self.box.give_sink_back()
        agent = self.box.start()
        self.box.delivered(1500, seconds=20)
        agent.stop()
        header = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{header}\nfirst=0 lines=1500 bytes=0 rotations=0\n")
        self.box.check()
        self.box.verify()

    def test_a_data_dir_that_disappears_and_returns_goes_on(self):
        self.box.log(lines=1000)
        agent = self.box.start()
        self.box.delivered(1000)
        away = self.box.root / "data.away"
        self.box.data.rename(away)
        promise.wait_until(lambda: "moved away" in agent.output(), 60, "it is noticed", 0.1)
        status = self.box.call("status")
        self.assertEqual(status.returncode, 2, status.stdout)
        self.assertIn("moved away", status.stdout)
        self.box.log(lines=500, first=1000, append=True, manifest=self.box.root / "more")
        promise.time_passes(agent, 2)
        self.assertEqual(len(self.box.lines()), 1000, "nothing is taken into a buffer that may be gone")
        away.rename(self.box.data)
        self.box.delivered(1500, seconds=20)
        self.assertEqual(self.box.call("status").returncode, 0)
        agent.stop()
        header = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{header}\nfirst=0 lines=1500 bytes=0 rotations=0\n")
        self.box.check("--in-order")
        self.assert_bounded_log(40)


promise.main()
