"""A damaged or foreign buffer never keeps the agent from its work and is never deleted: it is put
aside, what can be read of it is saved, and the loss is told."""

import random
import struct

import promise
import lmdb_pages
from lmdb_pages import empty_environment


class Promise(promise.PromiseCase):
    LINES = 60000
    BLOCK = 1900  # lines of a block, at most
    LARGE = 16384  # a page

    def setUp(self):
        super().setUp()
        # A buffer with content: the sink is away.
        self.box.take_sink_away()
        self.box.log(lines=self.LINES, write="page")
        agent = self.box.start()
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == self.LINES, 10,
                           "all committed", 0.1)
        agent.stop()
        self.box.give_sink_back()
        self.buffer = next(self.box.data.glob("*.mdb"))

    def check_recovery(self, most_lost, *allowed):
        """Goes on with old and new lines; nothing is invented or changed. Where records were really
        lost with the medium, exactly-once is not promised: lines may be read again."""
        self.box.log(lines=500, first=self.LINES, append=True, manifest=self.box.root / "more")
        agent = self.box.start()
        last = b"id=RUN-%010d" % (self.LINES + 499)
        promise.wait_until(lambda: any(last in line for line in self.box.lines()), 15, "new lines are delivered", 0.2)
        self.assertTrue(agent.running())
        agent.stop()
        text = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{text}\nfirst=0 lines={self.LINES + 500} bytes=0 rotations=0\n")
        result = self.box.check_result("--allow-missing", *allowed)
        self.assertEqual(result.returncode, 0, result.stdout)
        missing = int(result.stdout.split("missing ")[1].split(",")[0])
        self.assertLessEqual(missing, most_lost, result.stdout)
        self.box.verify()
        return missing

    def test_truncated(self):
        """What is lost with the end of the buffer and was delivered nowhere is read again."""
        size = self.buffer.stat().st_size
        with open(self.buffer, "r+b") as f:
            f.truncate(size // 2 // 4096 * 4096)
        self.check_recovery(0, "--allow-duplicates")
        self.assertIn(self.buffer.name, self.box.agent_log.read_text())

    def test_cut_short_under_the_agent_it_says_so(self):
        """The kernel ends it at a page that is gone; the next start saves what can be saved."""
        self.box.take_sink_away()
        agent = self.box.start()
        promise.wait_until(lambda: self.box.status()["running"], 10, "it runs", 0.1)
        with open(self.buffer, "r+b") as f:
            f.truncate(8192)
        self.box.log(lines=10, first=self.LINES, append=True, manifest=self.box.root / "one more")
        self.LINES += 10
        promise.wait_until(lambda: not agent.running(), 15, "it has ended", 0.1)
        self.assertIn("its file was cut short", self.box.agent_log.read_text())
        self.box.give_sink_back()
        self.check_recovery(0, "--allow-duplicates")

    def test_bits_flipped(self):
        rng = random.Random(7)
        data = bytearray(self.buffer.read_bytes())
        for _ in range(5):
            at = rng.randrange(4 * 4096, len(data))
            data[at] ^= 1 << rng.randrange(8)
        self.buffer.write_bytes(data)
        self.check_recovery(5 * self.BLOCK, "--allow-duplicates")

    def test_verify_finds_a_flipped_bit(self):
        data = bytearray(self.buffer.read_bytes())
        middle = len(data) // 2  # one sealed block after the other lies there
        data[middle] ^= 0x10
        self.buffer.write_bytes(data)
        self.assertNotEqual(self.box.call("buffer", "verify").returncode, 0)
        self.box.left_damaged = True

    def test_both_meta_pages_zeroed(self):
        """Every block is still there, and with it how far each file was read: nothing is doubled."""
        with open(self.buffer, "r+b") as f:
            f.write(b"\0" * 8192)
        self.check_recovery(self.LINES // 10)

    def test_both_meta_pages_zeroed_after_a_kill(self):
        """The copy outside is older than the buffer: positions move on with the blocks."""
        self.box.log(lines=500, first=self.LINES, append=True, manifest=self.box.root / "more")
        self.LINES += 500
        self.box.take_sink_away()
        agent = self.box.start()
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == self.LINES, 10,
                           "all committed", 0.1)
        agent.kill()
        self.box.give_sink_back()
        with open(self.buffer, "r+b") as f:
            f.write(b"\0" * 8192)
        self.check_recovery(self.LINES // 10)

    def test_blocks_are_delivered_out_of_the_damaged_file(self):
        """New lines are taken in while what was salvaged still lies there; killed and started again, with
        and without a sink, each line arrives once, and the file is let go."""
        with open(self.buffer, "r+b") as f:
            f.write(b"\0" * 8192)
        self.box.take_sink_away()
        agent = self.box.start()
        promise.wait_until(lambda: self.box.status()["buffer"]["archived_blocks"] > 0, 10, "it is salvaged", 0.1)
        salvaged = self.box.status()["buffer"]
        self.assertEqual(salvaged["salvaged_records"], self.LINES)
        self.box.log(lines=500, first=self.LINES, append=True, manifest=self.box.root / "more")
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == self.LINES + 500, 10,
                           "new lines are committed", 0.1)
        self.assertEqual(self.box.status()["buffer"]["archived_blocks"], salvaged["archived_blocks"])
        agent.kill()
        self.box.verify()
        self.box.give_sink_back()
        agent = self.box.start()
        promise.wait_until(lambda: self.sink(self.box.status())["backlog"]["records"] == 0, 30, "all is delivered", 0.2)
        promise.wait_until(lambda: not list(self.box.data.glob("*.salvaged-*")), 40, "the file is let go", 0.2)
        self.assertEqual(self.box.status()["buffer"]["salvaged_records"], self.LINES, "it survives a restart")
        agent.stop()
        text = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{text}\nfirst=0 lines={self.LINES + 500} bytes=0 rotations=0\n")
        self.box.check()
        self.box.verify()

    # Nothing is left but the copies beside it, and what no sink had lies in the logs still.

    def check_read_again(self):
        if self.buffer.exists():
            self.assertIn("start the agent, it salvages", self.box.call("buffer", "verify").stderr)
        self.check_recovery(0)
        status = self.box.status()
        sink = self.sink(status)
        self.assertEqual(status["buffer"]["lost_records"], self.LINES)
        self.assertEqual(sink["dropped"]["corrupt"]["records"], self.LINES, sink)
        self.assertEqual(sink["delivered"]["records"], self.LINES + 500)
        self.assertEqual(self.source(status)["committed"]["records"], 2 * self.LINES + 500)

    def test_emptied(self):
        self.buffer.write_bytes(b"")
        self.check_read_again()

    def test_half_a_page_is_left(self):
        self.buffer.write_bytes(self.buffer.read_bytes()[:2048])
        self.check_read_again()

    def test_deleted_while_the_agent_stood_still(self):
        self.buffer.unlink()
        self.check_read_again()

    def test_random_pages_overwritten(self):
        rng = random.Random(11)
        pages = self.buffer.stat().st_size // 4096
        with open(self.buffer, "r+b") as f:
            for _ in range(3):
                f.seek(rng.randrange(2, pages) * 4096)
                f.write(rng.randbytes(4096))
        self.check_recovery(3 * self.BLOCK, "--allow-duplicates")

    # --- buffers of other machines: told apart from damage, left as they are ------------------------

    def word(self):
        """What the agent under test calls a word, told by the file that it made: the magic follows the
        page header of a word and 8 bytes."""
        return 8 if self.buffer.read_bytes()[16:20] == struct.pack("<I", 0xBEEFC0DE) else 4

    def test_of_another_word_size_is_set_aside_while_tailing_goes_on(self):
        """By its copies the new buffer knows how far each file was read; what was set aside is delivered
        where it can be read."""
        ours, other = self.buffer.read_bytes(), 12 - self.word()
        foreign = empty_environment(other, 4096) + b"\0" * 8192
        self.buffer.write_bytes(foreign)
        self.box.log(lines=500, first=self.LINES, append=True, manifest=self.box.root / "more")
        self.box.run_once()
        aside, = self.box.data.glob("set-aside-*")
        self.assertEqual((aside / self.buffer.name).read_bytes(), foreign, "it is as it was")
        self.assertIn(f"{other * 8}-bit", self.box.agent_log.read_text())
        self.assertEqual(len(self.box.lines()), 500, "nothing is read again")
        status = self.box.status()
        self.assertTrue(any(str(aside.parent / "set-aside-") in why for why in status["reasons"]), status["reasons"])

        refused = self.box.call("run", "--once", "--drain", aside)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"{other * 8}-bit", refused.stderr)
        self.assertEqual((aside / self.buffer.name).read_bytes(), foreign, "it is as it was")
        (aside / self.buffer.name).write_bytes(ours)  # as on the machine that wrote it
        drained = self.box.call("run", "--once", "--drain", aside, "--timeout", "15s", timeout=30)
        self.assertEqual(drained.returncode, 0, drained.stderr)
        self.assertFalse(aside.exists(), "nothing is left of it")
        text = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{text}\nfirst=0 lines={self.LINES + 500} bytes=0 rotations=0\n")
        self.box.check()

    def in_large_pages(self):
        """The buffer in pages of 16 KiB, as a Raspberry Pi 5 makes it."""
        if self.word() != struct.calcsize("P"):
            self.skipTest("the agent under test has words of another size than this Python")
        large = self.buffer.with_name("large")
        lmdb_pages.copy(self.buffer, large, self.LARGE)
        large.rename(self.buffer)

    def test_of_another_page_size_is_delivered(self):
        epoch = self.box.status()["buffer"]["epoch"]
        self.in_large_pages()
        self.box.verify()
        self.check_recovery(0)
        self.assertEqual(self.box.status()["buffer"]["epoch"], epoch, "it is the same buffer still")
        self.assertFalse(list(self.box.data.glob("*.damaged-*")), "it is no damage")

    def test_of_another_page_size_is_salvaged(self):
        self.in_large_pages()
        with open(self.buffer, "r+b") as f:
            f.write(b"\0" * 2 * self.LARGE)
        self.check_recovery(0)
        self.assertEqual(self.box.status()["buffer"]["salvaged_records"], self.LINES)

    def kept(self, content):
        return any(f.is_file() and f.read_bytes() == content for f in self.box.data.rglob("*"))

    def test_empty_and_of_another_page_size_is_put_aside(self):
        """Not even an environment without a record is thrown away."""
        content = empty_environment(self.word(), self.LARGE)
        self.buffer.write_bytes(content)
        self.box.run_once()
        self.assertTrue(self.kept(content), "it is kept, under its name or put aside")
        self.check_recovery(0)

    def test_of_another_program_is_refused_or_put_aside(self):
        content = b"SQLite format 3\0" + b"\0" * 16368
        self.buffer.write_bytes(content)
        self.box.call("run", "--once", "--timeout", "10s")
        self.assertTrue(self.kept(content), "it is kept, under its name or put aside")


promise.main()
