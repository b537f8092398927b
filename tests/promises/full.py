"""A full disk, a full buffer, a read-only disk, a disk that is gone: intake pauses or drops by the
stated policy, nothing breaks, and all goes on by itself when there is room again."""

import os
import subprocess

import promise
from agent import TOOLS

MIB = 1 << 20


class Promise(promise.PromiseCase):
    def remount(self, path, options):
        subprocess.run(["mount", "-o", f"remount,{options}", path], check=True)

    def fill(self, path, leave=0):
        """A file that takes what is free, but `leave` bytes."""
        free = os.statvfs(path).f_bavail * os.statvfs(path).f_frsize
        filler = path / "filler"
        with open(filler, "wb") as f:
            try:
                for _ in range(max(0, free - leave) // 65536):
                    f.write(b"\0" * 65536)
                    f.flush()
            except OSError:
                pass
        return filler

    def test_the_buffers_disk_fills_and_is_freed(self):
        self.need_root()
        self.box.mount_ext4(self.box.data, 64 * MIB)
        agent = self.box.start()
        self.noise(1000)
        self.box.delivered(1000)
        self.box.take_sink_away()
        filler = self.fill(self.box.data)
        self.noise(200000, first=1000)
        promise.wait_until(lambda: any("disk is full" in r for r in self.box.status()["reasons"]), 15,
                           "status tells it", 0.2)
        promise.time_passes(agent, 3)
        self.assertTrue(agent.running(), "the agent lives through a full disk")
        self.assertGreater(self.source(self.box.status())["behind_bytes"], 0, "nothing more is read")
        filler.unlink()
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == 201000, 15,
                           "all is read", 0.2)
        agent = self.let_deliver(agent)
        promise.wait_until(lambda: self.sink(self.box.status())["delivered"]["records"] == 201000, 15,
                           "all is delivered", 0.2)
        agent.stop()
        self.assertEqual(sorted(self.box.lines()), sorted((self.box.logs / "app.log").read_bytes().splitlines()))
        self.box.verify()
        self.assert_bounded_log()

    def test_others_fill_the_buffers_disk_to_the_floor_and_then_all_of_it(self):
        """What is left free stays free, status names the disk, and deliveries are acknowledged."""
        self.need_root()
        self.box.mount_ext4(self.box.data, 64 * MIB)
        self.box.config(buffer={"max_size": "40MiB", "free_disk_percent": 5})
        self.box.take_sink_away()
        agent = self.box.start()
        self.noise(20000)
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == 20000, 15, "all read", 0.2)
        disk = os.statvfs(self.box.data)
        floor = disk.f_blocks * disk.f_frsize // 20
        self.fill(self.box.data, leave=floor + 150000)
        self.noise(200000, first=20000)
        why = promise.wait_until(lambda: next((r for r in self.box.status()["reasons"] if "disk" in r), None), 15,
                                 "status tells it", 0.2)
        self.assertIn("free_disk_percent", why)
        status = self.box.status()
        self.assertGreater(self.source(status)["behind_bytes"], 0)
        # Less than one drain takes: what is told goes by the disk, not by max_size.
        self.assertLess(status["buffer"]["free_bytes"], 4 * MIB)
        self.assertGreater(status["buffer"]["disk_free_bytes"], floor - 100000, "only the buffer writes there")
        (self.box.data / "filler").rename(self.box.data / "first")
        self.fill(self.box.data)
        self.box.give_sink_back()
        agent.stop()
        agent = self.box.start()
        promise.wait_until(lambda: self.sink(self.box.status())["delivered"]["records"] == 220000, 40,
                           "all is delivered and acknowledged", 0.2)
        agent.stop()
        self.assertEqual(sorted(self.box.lines()), sorted((self.box.logs / "app.log").read_bytes().splitlines()))
        self.box.verify()
        self.assert_bounded_log()

    def noise(self, lines, first=0):
        """Lines that hardly compress."""
        with open(self.box.logs / "app.log", "ab") as log:
            for i in range(first, first + lines):
                log.write(f"{i} {os.urandom(60).hex()}\n".encode())

    def expect(self, lines):
        text = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{text}\nfirst=0 lines={lines} bytes=0 rotations=0\n")

    def test_the_sinks_disk_fills_and_is_freed(self):
        self.need_root()
        self.box.mount_ext4(self.box.out, 16 * MIB)
        filler = self.fill(self.box.out, leave=256 << 10)
        agent = self.box.start()
        self.box.log(lines=60000)
        promise.wait_until(lambda: self.sink(self.box.status())["last_error"], 15, "status tells the error", 0.2)
        self.assertTrue(agent.running())
        filler.unlink()
        self.box.delivered(60000, seconds=15)
        agent.stop()
        self.box.check()
        self.assert_bounded_log()

    def test_the_buffers_file_system_turns_read_only_and_back(self):
        """As ext4 does after an error; an ordinary remount is refused under an open file."""
        switch = self.box.root / "read-only"
        agent = self.box.start(env={**os.environ, "LD_PRELOAD": str(TOOLS / "libread_only_disk.so"),
                                    "ASAN_OPTIONS": "verify_asan_link_order=0",
                                    "READ_ONLY_DIRECTORY": str(self.box.data), "READ_ONLY_SWITCH": str(switch)})
        self.box.log(lines=1000)
        self.box.delivered(1000)
        switch.touch()
        self.box.log(lines=500, first=1000, append=True, manifest=self.box.root / "more")
        why = promise.wait_until(lambda: next((r for r in self.box.status()["reasons"] if "ead-only" in r), None), 15,
                                 "status tells it", 0.2)
        self.assertIn("intake", why)
        self.assertEqual(self.box.call("status").returncode, 1)
        promise.time_passes(agent, 3)
        self.assertTrue(agent.running())
        self.assertEqual(len(self.box.lines()), 1000)
        switch.unlink()
        self.box.delivered(1500, seconds=40)
        agent.stop()
        self.expect(1500)
        self.box.check("--in-order")
        self.box.verify()
        self.assert_bounded_log(60)

    def test_the_sinks_directory_turns_read_only_and_back(self):
        self.need_root()
        self.box.mount_ext4(self.box.out, 16 * MIB)
        agent = self.box.start()
        self.box.log(lines=1000)
        self.box.delivered(1000)
        self.remount(self.box.out, "ro")
        self.box.log(lines=500, first=1000, append=True, manifest=self.box.root / "more")
        error = promise.wait_until(lambda: self.sink(self.box.status())["last_error"], 10, "status tells the error", 0.2)
        self.assertIn("ead-only", error)
        self.remount(self.box.out, "rw")
        self.box.delivered(1500, seconds=promise.PARKED)
        agent.stop()
        self.expect(1500)
        self.box.check()

    def test_a_data_dir_that_is_read_only_from_the_start_is_a_clear_error(self):
        self.need_root()
        self.box.mount_tmpfs(self.box.data, "16M")
        self.remount(self.box.data, "ro")
        result = self.box.call("run", "--once", "--timeout", "5s")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(str(self.box.data), result.stderr + result.stdout)

    # --- the buffer's own limit ------------------------------------------------------------------

    def full_buffer(self, policy, lines=900000):
        """A buffer of 8 MiB, a sink that takes nothing, and more log than fits."""
        self.box.config(buffer={"max_size": "8MiB", "when_full": policy})
        self.box.take_sink_away()
        agent = self.box.start()
        self.box.log(lines=lines, write="page")
        return agent

    def read_all(self):
        source = self.source(self.box.status())
        return source["committed"]["records"] + source["not_taken"]["records"]

    def let_deliver(self, agent):
        """A restart, so that the parked sink is tried at once."""
        agent.stop()
        self.box.give_sink_back()
        return self.box.start()

    def assert_adds_up(self, status):
        sink = self.sink(status)
        dropped = sum(d["records"] for d in sink["dropped"].values())
        committed = self.source(status)["committed"]["records"]
        self.assertEqual(committed, sink["delivered"]["records"] + sink["backlog"]["records"] + dropped +
                         sink["dead_lettered"]["records"])
        return dropped

    def test_block_stops_reading_and_loses_nothing(self):
        agent = self.full_buffer("block")
        promise.wait_until(lambda: self.box.status()["buffer"]["used_bytes"] > 6 * MIB, 15, "the buffer fills", 0.2)
        promise.time_passes(agent, 2)
        status = self.box.status()
        self.assertLess(self.source(status)["committed"]["records"], 900000, "the log is larger than the buffer")
        self.assertLessEqual(self.disk_used(), 8 * MIB * 1.5 + 16 * MIB)
        self.assertEqual(self.assert_adds_up(status), 0)
        agent = self.let_deliver(agent)
        promise.wait_until(lambda: self.sink(self.box.status())["delivered"]["records"] == 900000, 20, "all delivered", 0.2)
        agent.stop()
        self.box.check()

    def disk_used(self):
        return sum(f.stat().st_blocks * 512 for f in self.box.data.rglob("*") if f.is_file())

    def test_drop_oldest_counts_what_it_drops_and_keeps_the_newest(self):
        agent = self.full_buffer("drop_oldest")
        promise.wait_until(lambda: self.read_all() == 900000, 20, "all read", 0.2)
        dropped = self.assert_adds_up(self.box.status())
        self.assertGreater(dropped, 0)
        agent = self.let_deliver(agent)
        promise.wait_until(lambda: self.sink(self.box.status())["backlog"]["records"] == 0, 20, "all delivered", 0.2)
        dropped = self.assert_adds_up(self.box.status())
        agent.stop()
        result = self.box.check_result("--allow-missing")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn(f"missing {dropped},", result.stdout)
        self.assertIn(b"RUN-0000899999", self.box.lines()[-1])

    def test_drop_newest_counts_what_it_drops_and_keeps_the_oldest(self):
        agent = self.full_buffer("drop_newest")
        promise.wait_until(lambda: self.read_all() == 900000, 20, "all read", 0.2)
        dropped = self.source(self.box.status())["not_taken"]["records"]
        self.assertGreater(dropped, 0)
        self.assert_adds_up(self.box.status())
        agent = self.let_deliver(agent)
        promise.wait_until(lambda: self.sink(self.box.status())["backlog"]["records"] == 0, 20, "all delivered", 0.2)
        agent.stop()
        result = self.box.check_result("--allow-missing")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn(f"missing {dropped},", result.stdout)
        self.assertIn(b"RUN-0000000000", self.box.lines()[0])


promise.main()
