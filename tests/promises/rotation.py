"""A log is read once, however it is rotated: nothing that still exists when it is next looked at is
lost, nothing is read twice."""

import gzip
import os
import shutil
import subprocess

import promise


class Promise(promise.PromiseCase):
    def app(self, suffix=""):
        return self.box.logs / f"app.log{suffix}"

    def log_part(self, first, lines, file="app.log", append=False):
        self.box.log(first=first, lines=lines, file=file, manifest=self.box.root / "part", **({"append": True} if append else {}))

    def expect(self, lines):
        """What the whole test logged: lines 0 to `lines` of the default run."""
        self.box.manifest.write_text("run=RUN seed=1 stamps=1000 long_every=0 long_bytes=65536 bytes=0\n"
                                     f"first=0 lines={lines} bytes=0 rotations=0\n")

    def finish(self, lines, *arguments):
        self.expect(lines)
        self.box.run_once()
        self.box.check(*arguments)

    def test_rename_while_running(self):
        agent = self.box.start()
        self.box.log(lines=60000, rate=20000, rotate="rename", rotate_lines=7000, write="page")
        self.box.delivered(60000)
        agent.stop()
        self.box.check("--in-order")

    def test_copytruncate_while_running(self):
        agent = self.box.start()
        self.box.log(lines=60000, rate=20000, rotate="copytruncate", rotate_lines=7000, write="page")
        self.box.delivered(60000)
        agent.stop()
        self.box.check()

    def test_partial_writes(self):
        agent = self.box.start()
        self.box.log(lines=4000, rate=2000, rotate="rename", rotate_lines=900, write="partial")
        self.box.delivered(4000)
        agent.stop()
        self.box.check("--in-order")

    def test_several_renames_while_stopped(self):
        self.log_part(0, 1000)
        self.box.run_once()
        self.log_part(1000, 500, append=True)
        os.rename(self.app(), self.app(".1"))
        self.log_part(1500, 800)
        os.rename(self.app(".1"), self.app(".2"))
        os.rename(self.app(), self.app(".1"))
        self.log_part(2300, 300)
        self.finish(2600)

    def test_copytruncate_while_stopped_keeps_the_copy_once(self):
        self.log_part(0, 1000)
        self.box.run_once()
        self.log_part(1000, 500, append=True)
        shutil.copy(self.app(), self.app(".1"))
        os.truncate(self.app(), 0)
        self.log_part(1500, 700, append=True)
        self.finish(2200)

    def overwrite_copy(self):
        shutil.copyfile(self.app(), self.app(".1"))
        os.truncate(self.app(), 0)

    def test_one_copy_overwritten_again_and_again(self):
        """cp app.log app.log.1; : >app.log, by hand or by cron."""
        agent = self.box.start()
        for n in range(4):
            self.log_part(n * 1000, 1000, append=True)
            self.box.delivered((n + 1) * 1000)
            self.overwrite_copy()
        self.log_part(4000, 1000, append=True)
        self.box.delivered(5000)
        agent.stop()
        self.finish(5000)

    def test_one_copy_overwritten_while_stopped(self):
        for n in range(4):
            self.log_part(n * 1000, 1000, append=True)
            self.box.run_once()
            self.overwrite_copy()
        self.log_part(4000, 1000, append=True)
        self.finish(5000)
        self.assertNotIn("lost", self.box.agent_log.read_text())

    def test_rewritten_to_its_old_size_while_stopped(self):
        (self.box.logs / "a.log").write_bytes(b"".join(b"first  %04d\n" % i for i in range(2000)))
        self.box.run_once()
        middle = [b"%s %04d\n" % (b"second" if 500 <= i < 1500 else b"first ", i) for i in range(2000)]
        (self.box.logs / "a.log").write_bytes(b"".join(middle))
        self.box.run_once()
        self.assertEqual(sum(line.startswith(b"second") for line in self.box.lines()), 1000)

    def test_truncated_and_regrown_past_the_old_position(self):
        """The old content is gone, the new one is longer: read once, from its beginning."""
        self.log_part(0, 500)
        self.box.run_once()
        os.truncate(self.app(), 0)
        self.log_part(500, 900, append=True)
        self.finish(1400)

    def test_deleted_and_recreated_on_the_same_inode(self):
        self.log_part(0, 500)
        self.box.run_once()
        inode = self.app().stat().st_ino
        for _ in range(20):  # most file systems give the inode again at once
            self.app().unlink()
            self.log_part(500, 900)
            if self.app().stat().st_ino == inode:
                break
        self.finish(1400)

    def test_ten_bytes_are_a_file(self):
        for name, text in (("a.log", b"0123456789"), ("b.log", b"987654321\n"), ("c.log", b"987654321\n")):
            (self.box.logs / name).write_bytes(text)
        self.box.config(source={"partial_line_timeout": "100ms"})
        agent = self.box.start()
        self.box.delivered(3)
        agent.stop()
        self.assertEqual(sorted(self.box.lines()), [b"0123456789", b"987654321", b"987654321"])

    def test_a_file_of_ten_bytes_that_grows_is_the_same_file(self):
        self.app().write_bytes(b"")
        agent = self.box.start()
        for i in range(5):
            with open(self.app(), "ab") as f:
                f.write(b"line %04d\n" % i)
            self.box.delivered(i + 1)
            if i == 2:
                agent.stop()
                agent = self.box.start()
        agent.stop()
        self.assertEqual(self.box.lines(), [b"line %04d" % i for i in range(5)])

    def compressed_rotation(self, suffix, compress):
        """Rotated and compressed before the rest was read: resumed inside."""
        self.log_part(0, 3000)
        self.box.run_once()
        self.log_part(3000, 2000, append=True)
        (self.app(f".1{suffix}")).write_bytes(compress(self.app().read_bytes()))
        self.app().unlink()
        self.log_part(5000, 1000)
        self.finish(6000)

    def test_gzip_rotation_is_resumed_inside(self):
        self.compressed_rotation(".gz", lambda b: gzip.compress(b, 6))

    def test_zstd_rotation_is_resumed_inside(self):
        self.compressed_rotation(".zst", lambda b: subprocess.run(["zstd", "-qc"], input=b, stdout=-1, check=True).stdout)

    def test_gzip_of_what_was_read_is_not_read_again(self):
        self.log_part(0, 3000)
        self.box.run_once()
        self.app(".1.gz").write_bytes(gzip.compress(self.app().read_bytes()))
        self.app().unlink()
        self.log_part(3000, 100)
        self.finish(3100)

    def test_xz_is_reported_and_not_shipped(self):
        agent = self.box.start()
        self.log_part(0, 100)
        self.box.delivered(100)
        packed = subprocess.run(["xz", "--stdout", self.app()], stdout=subprocess.PIPE, check=True).stdout
        self.app(".1.xz").write_bytes(packed)
        self.app().unlink()
        self.log_part(100, 100)
        promise.wait_until(lambda: "app.log.1.xz" in agent.output(), what="the log names the .xz file")
        self.box.delivered(200)
        agent.stop()
        self.assertEqual(self.box.start("--once").wait(), 1, "it is still there, and was not read")
        self.app(".1.xz").unlink()
        self.finish(200)

    def test_a_copy_under_the_same_glob_is_not_read_again(self):
        self.log_part(0, 2000)
        self.box.run_once()
        shutil.copy(self.app(), self.app(".bak"))
        self.log_part(2000, 10, append=True)
        self.finish(2010)

    def test_restored_under_another_inode(self):
        """As log2ram does it: the same bytes in a new file that kept its time, then more."""
        self.log_part(0, 2000)
        self.box.run_once()
        shutil.copy2(self.app(), self.box.root / "saved")
        self.app().unlink()
        shutil.copy2(self.box.root / "saved", self.app())
        self.box.run_once()
        self.assertIn("taken for its copy", self.box.agent_log.read_text())
        self.log_part(2000, 500, append=True)
        self.finish(2500)

    def test_the_same_lines_every_night_are_read_every_night(self):
        """A job without time stamps, a service's banner: new logs, however their old ones are put away."""
        night = b"".join(b"step %d of the nightly job: all is well, nothing to be done\n" % i for i in range(60))
        job = self.box.logs / "job.log"
        old = [self.box.logs / name for name in ("job.log.1", "job-20261127.log", "job.log.2")]
        agent = None
        for n in range(8):
            if n == 4:  # stopped up to here, running from here on
                agent = self.box.start()
            if n % 4:
                os.replace(job, old[n % 4 - 1])
                if n % 4 == 3:  # compressed at once
                    old[2].with_name("job.log.2.gz").write_bytes(gzip.compress(old[2].read_bytes()))
                    old[2].unlink()
            elif n:
                job.unlink()
            job.write_bytes(night)
            if agent:
                self.box.delivered((n + 1) * 60)
            else:
                self.box.run_once()
        agent.stop()
        self.assertEqual(sorted(self.box.lines()), sorted(night.splitlines() * 8))

    def test_objects_below_a_source_are_not_read_again(self):
        """The sink writes into the tree that the source reads, by a link too: nothing comes round."""
        inside = self.box.logs / "sent"
        inside.mkdir()
        (self.box.logs / "link").symlink_to(inside)
        self.box.config(source={"paths": [f"{self.box.logs}/**"]}, sink={"path": inside, "compression": "none"})
        said = self.box.call("check")
        self.assertEqual(said.returncode, 0, said.stderr)
        told = [line for line in (said.stdout + said.stderr).splitlines() if "not read again" in line]
        self.assertEqual(len(told), 1, said.stdout + said.stderr)
        self.assertIn("app", told[0])
        self.assertIn("archive", told[0])
        self.log_part(0, 1000)
        for _ in range(3):  # each run finds the objects of the one before
            self.box.run_once()
        self.expect(1000)
        self.box.check(directory=inside)

    def test_lines_written_to_the_renamed_file_afterwards(self):
        """A writer that holds the old descriptor for a moment."""
        agent = self.box.start()
        self.log_part(0, 100)
        self.box.delivered(100)
        os.rename(self.app(), self.app(".1"))
        self.log_part(100, 100)
        self.log_part(200, 100, file="app.log.1", append=True)
        self.box.delivered(300)
        agent.stop()
        self.expect(300)
        self.box.check()


promise.main()
