"""Exactly once into directories, whatever happens to them; and no sink waits for another."""

import re
import subprocess

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
