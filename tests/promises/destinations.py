"""Exactly once into directories, whatever happens to them; and no sink waits for another."""

import os
import re
import shutil
import subprocess
import time

import promise


class Promise(promise.PromiseCase):
    def error(self, name="archive"):
        return promise.wait_until(lambda: self.sink(self.box.status(), name)["last_error"], 10,
                                  f"status tells what is wrong with {name}", 0.1)

    def test_every_rendering_is_read_by_the_standard_tools(self):
        sinks, recipient = {}, self.box.age_recipient()
        for compression in ("zstd", "gzip", "none"):
            for format_ in ("lines", "ndjson"):
                for encrypted in (False, True):
                    name = f"{compression}-{format_}" + ("-age" if encrypted else "")
                    (self.box.root / name).mkdir()
                    sinks[name] = {"path": self.box.root / name, "compression": compression, "format": format_,
                                   **({"encrypt": {"age": [recipient]}} if encrypted else {})}
        self.box.config(sinks=sinks)
        self.box.log(lines=3000, bytes="utf8")
        self.box.run_once()
        suffix = {"zstd": ".zst", "gzip": ".gz", "none": ""}
        for name in sinks:
            compression, format_ = name.split("-")[:2]
            ending = (".log" if format_ == "lines" else ".ndjson") + suffix[compression] + (".age" if name.endswith("age") else "")
            for o in self.box.objects(self.box.root / name):
                self.assertTrue(o.name.endswith(ending), f"{o.name}: ends with {ending}")
            self.box.check("--in-order", directory=self.box.root / name)

    def test_our_own_decrypt_agrees_with_age(self):
        self.box.config(sink={"encrypt": {"age": [self.box.age_recipient()]}})
        self.box.log(lines=3000)
        self.box.run_once()
        opened = self.box.root / "opened"
        opened.mkdir()
        done = self.box.call("decrypt", "--identity", self.box.identity, "--output", opened, *self.box.objects())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.box.check("--in-order", directory=opened)

    def test_the_device_cannot_read_what_it_sent(self):
        self.box.config(sink={"encrypt": {"age": [self.box.age_recipient()]}, "compression": "none"})
        self.box.log(lines=500)
        self.box.run_once()
        self.assertTrue(self.box.objects())
        for o in self.box.objects():
            self.assertTrue(o.read_bytes().startswith(b"age-encryption.org/v1\n"))
            self.assertNotIn(b"RUN-0", o.read_bytes())

    def test_a_directory_disappears_and_returns(self):
        agent = self.box.start()
        self.box.log(lines=1000)
        self.box.delivered(1000)
        self.box.take_sink_away()
        self.box.log(lines=1000, first=1000, append=True, manifest=self.box.root / "more")
        self.error()
        self.assertFalse(self.box.out.exists(), "nothing is made in the place of a missing directory")
        self.box.give_sink_back()
        self.box.delivered(2000, seconds=promise.PARKED)
        agent.stop()
        self.expect(2000)
        self.box.check("--in-order")

    def expect(self, lines):
        text = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{text}\nfirst=0 lines={lines} bytes=0 rotations=0\n")

    def test_a_stick_is_pulled_and_put_back(self):
        """The bare mount point gets nothing; the stick gets all."""
        self.need_root()
        self.box.mount_ext4(self.box.out, 32 << 20)
        agent = self.box.start()
        self.box.log(lines=1000)
        self.box.delivered(1000)
        subprocess.run(["umount", "-l", self.box.out], check=True)
        self.box.log(lines=1000, first=1000, append=True, manifest=self.box.root / "more")
        self.error()
        self.assertEqual(list(self.box.out.rglob("*")), [], "nothing is written under the bare mount point")
        subprocess.run(["mount", "-o", "loop", self.box.root / "out.img", self.box.out], check=True)
        self.box.delivered(2000, seconds=promise.PARKED)
        agent.stop()
        self.expect(2000)
        self.box.check("--in-order")

    def test_a_dead_sink_delays_no_other(self):
        alive, dead = self.box.root / "alive", self.box.root / "missing" / "dead"
        alive.mkdir()
        self.box.config(sinks={"alive": {"path": alive}, "dead": {"path": dead}})
        agent = self.box.start()
        self.box.log(lines=20000, rate=10000)
        promise.wait_until(lambda: len(self.box.lines(alive)) == 20000, 10, "the living sink has all", 0.1)
        self.assertTrue(self.error("dead"))
        agent.stop()
        dead.mkdir(parents=True)
        self.box.run_once()
        for directory in (alive, dead):
            self.box.check("--in-order", directory=directory)

    def hanging_box(self):
        alive, dead = self.box.root / "alive", self.box.root / "dead"
        for directory in (alive, dead):
            directory.mkdir()
        self.box.config(sinks={"alive": {"path": alive}, "dead": {"path": dead}})
        return alive, dead

    def assert_hangs_alone(self, alive, call):
        """One sink's call does not return: it is named, and the other sink has everything."""
        self.box.log(lines=5000)
        promise.wait_until(lambda: len(self.box.lines(alive)) == 5000, 10, "the living sink has all", 0.1)
        dead = promise.wait_until(lambda: self.call_of("dead"), 10, "status names the call", 0.1)
        self.assertRegex(dead["call"], call)
        self.assertEqual(dead["delivered"]["records"], 0)

    def call_of(self, name):
        sink = self.sink(self.box.status(), name)
        return sink if sink["call_seconds"] > 0.5 else None

    def test_a_disk_that_hangs_delays_no_other_and_no_stop(self):
        alive, dead = self.hanging_box()
        hangs = self.box.root / "hangs"
        hangs.touch()
        library = promise.TOOLS / "libhanging_calls.so"
        environment = {**os.environ, "LD_PRELOAD": str(library), "HANG_BELOW": str(dead), "HANG_WHILE": str(hangs)}
        agent = self.box.start(env=environment)
        self.assert_hangs_alone(alive, f"^fdatasync of {dead}/")
        began = time.monotonic()
        agent.stop()
        self.assertLess(time.monotonic() - began, 5)
        agent = self.box.start(env=environment)
        promise.wait_until(lambda: self.call_of("dead"), 10, "it hangs again", 0.1)
        hangs.unlink()
        promise.wait_until(lambda: len(self.box.lines(dead)) == 5000, 10, "it goes on by itself", 0.1)
        agent.stop()
        for directory in (alive, dead):
            self.box.check("--in-order", directory=directory)

    def test_a_frozen_file_system_delays_no_other(self):
        self.need_root()
        alive, dead = self.hanging_box()
        self.box.mount_ext4(dead, 32 << 20)
        subprocess.run(["fsfreeze", "-f", dead], check=True)
        try:
            agent = self.box.start()
            self.assert_hangs_alone(alive, f" {dead}/")
        finally:
            subprocess.run(["fsfreeze", "-u", dead], check=True)
        promise.wait_until(lambda: len(self.box.lines(dead)) == 5000, 10, "it goes on by itself", 0.1)
        agent.stop()
        for directory in (alive, dead):
            self.box.check("--in-order", directory=directory)

    def mount_that_refuses(self, kind):
        """A file system that takes no ':', at the sink's path; skips where this machine has none."""
        make = {"vfat": ["mkfs.vfat"], "exfat": ["mkfs.exfat"], "ntfs": ["mkntfs", "-F", "-Q"]}[kind]
        if not shutil.which(make[0], path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            self.skipTest(f"{make[0]} is not installed")
        image = self.box.root / "out.img"
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        loop = ["-o", "loop"]
        if kind != "vfat":
            device = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True, check=True,
                                    env=environment).stdout.strip()
            self.addCleanup(subprocess.run, ["losetup", "-d", device], env=environment)
            image = device
            loop = []
        subprocess.run([*make, image], check=True, capture_output=True, env=environment)
        for mount in ([["mount", "-t", "vfat", *loop, image, self.box.out]] if kind == "vfat" else
                      [["mount", "-t", kind, image, self.box.out],
                       ["mount.exfat-fuse", image, self.box.out]] if kind == "exfat" else
                      [["mount.ntfs-3g", "-o", "windows_names", image, self.box.out]]):
            if shutil.which(mount[0], path=environment["PATH"]) and \
                    subprocess.run(mount, capture_output=True, env=environment).returncode == 0:
                self.addCleanup(subprocess.run, ["umount", self.box.out])
                return
        self.skipTest(f"this machine cannot mount {kind}")

    def refused_names(self, kind):
        """What the file system refuses is renamed, without a person; what is there stays."""
        self.need_root()
        self.mount_that_refuses(kind)
        self.box.config(sink={"prefix": "!{timestamp:HH:mm}/con/!{edgehose:source}/"})
        self.box.log(lines=2000)
        self.box.run_once()
        self.box.check("--in-order")
        self.assertTrue(all("%3A" in str(o) for o in self.box.objects()), self.box.objects())
        self.box.log(lines=1000, first=2000, append=True, manifest=self.box.root / "more")
        self.box.run_once()
        self.expect(3000)
        self.box.check("--in-order")

    def test_a_fat_stick_refuses_names_and_gets_all(self):
        self.refused_names("vfat")

    def test_an_exfat_stick_refuses_names_and_gets_all(self):
        self.refused_names("exfat")

    def test_an_ntfs_disk_refuses_names_and_gets_all(self):
        self.refused_names("ntfs")

    def test_a_killed_delivery_leaves_no_half_object(self):
        self.box.log(lines=200000, write="page")
        for i in range(10):
            agent = self.box.start()
            promise.time_passes(agent, 0.02 + i / 50)
            agent.kill()
            for o in self.box.objects():
                self.box.read(o)
        self.box.run_once()
        self.box.check("--in-order")
        left = [p for p in self.box.out.rglob(".*") if p.is_file()]
        self.assertLessEqual(len(left), 2, f"temporary files left behind: {left}")

    def test_two_copies_of_one_buffer_never_overwrite_each_other(self):
        """A cloned card: both go on with the same history, into one destination."""
        self.box.log(lines=1000)
        self.box.run_once()
        first = set(self.box.objects())
        content = {o: o.read_bytes() for o in first}
        clone = self.box.root / "clone"
        subprocess.run(["cp", "-a", self.box.data, clone], check=True)
        self.box.log(lines=500, first=1000, append=True, manifest=self.box.root / "more")
        self.box.run_once()
        self.box.config(agent={"data_dir": clone})
        self.box.log(lines=500, first=1500, append=True, manifest=self.box.root / "more")
        self.box.run_once()
        self.expect(2000)
        result = self.box.check_result("--allow-duplicates")
        self.assertEqual(result.returncode, 0, result.stdout)
        for o in first:
            self.assertEqual(o.read_bytes(), content[o], "an object is never changed")

    def test_prefix_and_key(self):
        self.box.config(agent={"labels": {"site": "north"}},
                        sink={"prefix": "site=!{label:site}/!{edgehose:agent}/!{edgehose:source}/!{timestamp:yyyy/MM/dd}/"})
        self.box.log(lines=100)
        self.box.run_once()
        for o in self.box.objects():
            self.assertRegex(str(o.relative_to(self.box.out)), re.compile(r"^site=north/gw-test/app/\d{4}/\d\d/\d\d/[^/]+$"))


promise.main()
