"""The buffer can be encrypted at rest, keys can be rotated, and no secret reaches a log."""

import hashlib
import os

import promise


class Promise(promise.PromiseCase):
    def stored(self):
        return b"".join(f.read_bytes() for f in sorted(self.box.data.rglob("*")) if f.is_file() and not f.is_socket())

    def hold_back(self):
        """Lines that stay in the buffer: the sink is away."""
        self.box.take_sink_away()
        self.box.log(lines=2000)
        agent = self.box.start()
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == 2000, 10, "all committed", 0.1)
        agent.stop()

    def deliver(self):
        self.box.give_sink_back()
        self.box.run_once()
        self.box.check("--in-order")

    def test_without_keys_the_buffer_is_readable(self):
        """What makes the next test worth something."""
        self.hold_back()
        self.assertIn(str(self.box.logs).encode(), self.stored())

    def test_with_keys_neither_lines_nor_paths_are_readable(self):
        self.box.config(buffer={"encryption_keys": [self.box.buffer_key()]})
        self.hold_back()
        for word in (b"plant/north", b"gw-0042", b"cell-controller", str(self.box.logs).encode()):
            self.assertNotIn(word, self.stored())
        self.deliver()

    def test_a_wrong_key_is_a_clear_error_and_deletes_nothing(self):
        right, wrong = self.box.buffer_key(), self.box.buffer_key("wrong.key")
        self.box.config(buffer={"encryption_keys": [right]})
        self.hold_back()
        buffer = next(self.box.data.glob("*.mdb"))
        before = hashlib.sha256(buffer.read_bytes()).digest()
        for keys in ([wrong], None):
            self.box.config(buffer={"encryption_keys": keys})
            result = self.box.call("run", "--once", "--timeout", "5s")
            self.assertNotEqual(result.returncode, 0)
            self.assertIn("key", result.stderr)
            self.assertEqual(hashlib.sha256(buffer.read_bytes()).digest(), before, "the buffer is as it was")
            self.assertEqual(self.box.call("check").returncode, 1, "what run refuses, check refuses")
        self.box.config(buffer={"encryption_keys": [right]})
        self.deliver()

    def test_rotation_keeps_old_blocks_readable(self):
        old, new = self.box.buffer_key("old.key"), self.box.buffer_key("new.key")
        self.box.config(buffer={"encryption_keys": [old]})
        self.hold_back()
        self.box.config(buffer={"encryption_keys": [new, old]})
        self.box.log(lines=1000, first=2000, append=True, manifest=self.box.root / "more")
        agent = self.box.start()
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == 3000, 10, "all committed", 0.1)
        agent.stop()
        self.box.config(buffer={"encryption_keys": [new]})
        text = self.box.manifest.read_text().splitlines()[0]
        self.box.manifest.write_text(f"{text}\nfirst=0 lines=3000 bytes=0 rotations=0\n")
        self.deliver()

    def test_a_missing_key_file_is_named(self):
        self.box.config(buffer={"encryption_keys": [{"file": self.box.root / "nowhere.key"}]})
        result = self.box.call("run", "--once", "--timeout", "5s")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("nowhere.key", result.stderr)

    def test_no_secret_in_any_output(self):
        key = self.box.buffer_key()
        secret = key["file"].read_text().strip()
        self.box.config(buffer={"encryption_keys": [key]})
        self.box.log(lines=100)
        told = self.box.run_once("--log-level", "trace").output()
        for arguments in (("check",), ("status",), ("status", "--json"), ("buffer", "list"), ("buffer", "verify")):
            result = self.box.call(*arguments)
            told += result.stdout + result.stderr
        self.assertGreater(len(told), 200)
        self.assertNotIn(secret.lower(), told.lower())

    def test_a_secret_age_key_in_the_config_is_refused_unseen(self):
        self.box.age_recipient()
        secret = next(line for line in self.box.identity.read_text().splitlines() if line.startswith("AGE-SECRET"))
        self.box.config(sink={"encrypt": {"age": [secret]}})
        result = self.box.call("check")
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn(secret, result.stdout + result.stderr)

    def test_a_running_agent_is_asked_without_the_secrets_it_alone_has(self):
        key = self.box.buffer_key()
        credentials = key["file"].parent
        self.box.config(agent={"id": "${EDGEHOSE_TEST_ID}"},
                        buffer={"encryption_keys": [{"credential": "buffer.key"}]})
        self.box.take_sink_away()
        self.box.log(lines=2000)
        agent = self.box.start(env={**os.environ, "EDGEHOSE_TEST_ID": "gw-test", "CREDENTIALS_DIRECTORY": str(credentials)})
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == 2000, 10, "all committed", 0.1)
        for command in (["buffer", "list"], ["buffer", "confirm", "archive", "--yes"], ["dead-letters", "list"],
                        ["dead-letters", "purge", "--all", "--yes"]):
            done = self.box.call(*command)
            self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        self.assertEqual(self.box.status()["agent"], "gw-test")
        agent.stop()
        self.box.config(buffer={"encryption_keys": [key]})  # for the look at its end


promise.main()
