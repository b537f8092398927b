"""What a person does to a running agent: it is asked over its socket, by those who may."""

import fcntl
import grp
import json
import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import promise

REFUSE = os.environ.get("EDGEHOSE_REFUSE", str(Path(__file__).resolve().parents[2] / "build-tests/tests/promises/refuse_all"))


class Promise(promise.PromiseCase):
    def refused(self, lines, **sink):
        """That many lines are read, and all of them refused; the directory is there again."""
        self.box.config(sink=sink)
        self.box.take_sink_away()
        self.box.log(lines=lines)
        agent = self.box.start()
        promise.wait_until(lambda: self.source(self.box.status())["committed"]["records"] == lines, 10, "all committed", 0.1)
        agent.stop()
        done = subprocess.run([REFUSE, self.box.data, "mapping failed"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, f"{lines}\n"), done.stderr)
        self.box.give_sink_back()
        self.adds_up(lines, dead=lines)

    def adds_up(self, lines, dead=None, dropped=0):
        if not any(p.running() for p in self.box.processes):
            self.box.verify()
        sink = self.sink(self.box.status())
        total = sink["delivered"]["records"] + sink["backlog"]["records"] + sink["dead_lettered"]["records"] + \
            sum(d["records"] for d in sink["dropped"].values())
        self.assertEqual(total, lines, "committed = delivered + buffered + dropped + dead-lettered")
        if dead is not None:
            self.assertEqual(sink["dead_lettered"]["records"], dead)
        self.assertEqual(sum(d["records"] for d in sink["dropped"].values()), dropped)

    def call(self, *arguments, code=0):
        done = self.box.call(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def start(self):
        agent = self.box.start()
        promise.wait_until(lambda: self.box.status()["running"], 10, "it runs", 0.1)
        return agent

    def gone(self):
        status = self.box.status()
        return status["buffer"]["dead_letters"] == 0 and self.sink(status)["replaying"] == 0

    def test_what_was_refused_is_replayed_by_the_running_agent(self):
        self.refused(1500)
        agent = self.start()
        self.assertIn("mapping failed", self.call("dead-letters", "list"))
        self.assertEqual(self.call("dead-letters", "replay", "--all"), "1,500 records will be delivered again, in 2 batches.\n")
        promise.wait_until(self.gone, 15, "no dead letter left", 0.1)
        self.adds_up(1500, dead=0)
        self.box.check()
        self.assertEqual(self.call("dead-letters", "replay", "--all"), "No dead letter to replay.\n")
        agent.stop()
        self.adds_up(1500, dead=0)

    def test_a_replay_asked_for_without_an_agent_is_done_by_the_next_run(self):
        self.refused(800)
        self.assertIn("800 records", self.call("dead-letters", "replay", "--all"))
        self.adds_up(800, dead=800)
        self.box.run_once()
        self.adds_up(800, dead=0)
        self.box.check()

    def test_some_are_replayed_and_some_purged(self):
        self.refused(20)
        self.start()
        self.call("dead-letters", "replay", *range(1, 11))
        promise.wait_until(lambda: len(self.box.lines()) == 10, 10, "ten lines delivered", 0.1)
        promise.wait_until(lambda: self.box.status()["buffer"]["dead_letters"] == 10, 10, "ten left", 0.1)
        exported = self.box.call("dead-letters", "replay", "--all", "--stdout").stdout
        self.assertEqual(len(exported.splitlines()), 10)
        self.assertIn("10 dead letters would be deleted", self.call("dead-letters", "purge", "--all", code=2))
        self.assertEqual(self.call("dead-letters", "purge", "--all", "--yes"), "10 dead letters deleted.\n")
        self.assertIn("there is no dead letter 11", self.call("dead-letters", "purge", "11", "--yes", code=1))
        self.adds_up(20, dead=0, dropped=10)

    def test_a_replay_survives_kill_9(self):
        """Small batches, so that the kills fall between their steps."""
        self.refused(3000, batch={"max_size": "8KiB", "max_age": "1s"})
        agent = self.start()
        self.call("dead-letters", "replay", "--all")
        for _ in range(6):
            have = len(self.box.objects())
            more = random.randrange(4)
            promise.wait_until(lambda: len(self.box.objects()) >= have + more or self.gone(), 20, "a few objects more")
            agent.kill()
            agent.wait(5)
            agent = self.start()
        promise.wait_until(self.gone, 30, "no dead letter left", 0.1)
        self.box.check()
        agent.stop()
        self.adds_up(3000, dead=0)

    def test_another_stick_is_confirmed_beside_the_running_agent(self):
        self.need_root()
        self.box.mount_ext4(self.box.out, 32 << 20)
        self.start()
        self.box.log(lines=500)
        self.box.delivered(500)
        first = self.box.lines()
        subprocess.run(["umount", "-l", self.box.out], check=True)
        self.box.log(lines=500, first=500, append=True, manifest=self.box.root / "more")
        promise.wait_until(lambda: self.sink(self.box.status())["state"] == "parked", 20, "the sink is parked", 0.1)
        self.assertIn("edgehose buffer confirm archive", json.dumps(self.box.status()["reasons"]))
        self.assertEqual(self.box.objects(), [])
        self.call("buffer", "confirm", "archive", code=2)
        self.assertIn("Confirmed.", self.call("buffer", "confirm", "archive", "--yes"))
        self.box.delivered(500, seconds=20)
        self.assertEqual(len(set(first + self.box.lines())), 1000)

    def test_what_the_agent_uses_is_not_forgotten_under_it(self):
        self.box.log(lines=10)
        self.start()
        self.box.delivered(10)
        self.assertIn("take it out and restart", self.call("buffer", "forget", "archive", "--yes", code=1))
        self.assertIn("take it out and restart", self.call("buffer", "forget", "--source", "app", "--yes", code=1))
        self.box.log(lines=10, first=10, append=True, manifest=self.box.root / "more")
        self.box.delivered(20)

    def test_a_sink_without_config_is_forgotten_beside_the_agent(self):
        (self.box.root / "old").mkdir()
        self.box.config(sinks={"archive": {}, "old": {"path": self.box.root / "old"}})
        self.box.log(lines=10)
        self.box.run_once()
        self.box.config()
        self.start()
        self.assertIn("old is not in the config", json.dumps(self.box.status()["notes"]))
        self.assertIn("Forgotten.", self.call("buffer", "forget", "old", "--yes"))
        self.assertEqual([s["name"] for s in self.box.status()["sinks"]], ["archive"])

    def damage_letter(self, number):
        """Flips bits of its record in the buffer's file, under the agent, as a card does it."""
        body = self.call("dead-letters", "export", number).splitlines()[0].encode()
        path = self.box.data / "buffer.mdb"
        content = path.read_bytes()
        self.assertIn(body, content)
        with open(path, "r+b") as file:
            file.write(content.replace(body, body.swapcase()))

    def test_a_damaged_dead_letter_stops_no_other(self):
        self.refused(20)
        self.start()
        self.damage_letter(7)
        self.assertIn("mapping failed", self.call("dead-letters", "list", code=1))
        told = self.call("dead-letters", "replay", "--all", code=1)
        self.assertIn("19 records will be delivered again", told)
        self.assertIn("dead letter 7 is damaged and left out; to delete: edgehose dead-letters purge 7 --yes", told)
        self.box.delivered(19)
        promise.wait_until(lambda: self.box.status()["buffer"]["dead_letters"] == 1, 10, "one left", 0.1)
        told = self.call("dead-letters", "purge", "--all", "--yes", code=1)
        self.assertIn("0 dead letters deleted", told)
        self.assertIn("dead letter 7 is damaged", told)
        self.assertEqual(self.call("dead-letters", "purge", 7, "--yes"), "1 dead letter deleted.\n")
        self.assertEqual(self.box.status()["buffer"]["dead_letters"], 0)

    def test_a_change_waits_for_an_agent_that_is_starting(self):
        """Who holds the lock begins to listen when the command has met both."""
        self.box.log(lines=10)
        self.box.run_once()
        status = {**self.box.status(), "running": True}
        answers = {b"status": json.dumps(status), b"dead-letters replay all": json.dumps(
            {"ok": True, "text": "Asked the agent.", "records": 0, "more": False})}
        with open(self.box.data / "lock", "r+") as lock, socket.socket(socket.AF_UNIX) as listener:
            fcntl.flock(lock, fcntl.LOCK_EX)
            command = subprocess.Popen(self.box.command("dead-letters", "replay", "--all"),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            command.running = lambda: command.poll() is None
            promise.time_passes(command, 3)  # it tries the lock for two
            listener.bind(str(self.box.root / "status.sock"))
            listener.listen()
            for _ in answers:
                client, _ = listener.accept()
                with client:
                    client.sendall(answers[client.recv(1000).strip()].encode())
            out, err = command.communicate(timeout=10)
        self.assertEqual((out, err, command.returncode), ("Asked the agent.\n", "", 0))

    def ask_as(self, line, groups):
        """One line to the socket as nobody, in these groups; the answer."""
        path = self.box.root / "status.sock"
        script = ("import os, socket, sys\n"
                  f"os.setgroups({groups!r}); os.setgid(65534); os.setuid(65534)\n"
                  "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode() + b'\\n')\n"
                  "while chunk := s.recv(65536): sys.stdout.write(chunk.decode())\n")
        return subprocess.run([sys.executable, "-c", script, path, line], capture_output=True, text=True, timeout=20)

    def test_others_may_read_the_status_and_change_nothing(self):
        if os.geteuid() != 0:
            self.skipTest("needs to become another user: run as root")
        adm = grp.getgrnam("adm").gr_gid
        self.box.root.chmod(0o755)
        self.box.log(lines=10)
        self.start()
        self.box.delivered(10)
        self.assertEqual(json.loads(self.ask_as("status", [adm]).stdout)["format"], 1)
        for line in ("confirm archive", "forget sink archive", "dead-letters purge all", "dead-letters replay all"):
            answer = json.loads(self.ask_as(line, [adm]).stdout)
            self.assertFalse(answer["ok"])
            self.assertIn("only root and the agent's own user", answer["error"])
        self.assertIn("PermissionError", self.ask_as("status", []).stderr, "outside of adm the socket is closed")

    def test_adm_is_told_what_keeps_it_from_a_socket_in_a_closed_directory(self):
        if os.geteuid() != 0:
            self.skipTest("needs to become another user: run as root")
        self.box.config(agent={"status_socket": self.box.data / "status.sock"})
        self.box.root.chmod(0o755)
        self.box.data.chmod(0o750)
        self.start()
        program = shutil.copy(self.box.command()[0], self.box.root)  # where it is, nobody may not be
        done = subprocess.run([program, "status", "--config", self.box.config_path], capture_output=True, text=True,
                              user=65534, group=65534, extra_groups=[grp.getgrnam("adm").gr_gid])
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn(f"may not enter {self.box.data}", done.stderr)
        self.assertIn("agent.status_socket", done.stderr)

    def test_a_client_without_words_gets_the_status(self):
        self.start()
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.box.root / "status.sock"))
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
        self.assertEqual(json.loads(answer)["format"], 1)


promise.main()
