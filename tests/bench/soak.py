#!/usr/bin/env python3
"""soak: the real agent for minutes or hours, with faults all the way, and at the end nothing may have grown.

    soak.py --agent EDGEHOSE --tools build/tests --minutes 15 [--seed N] [--rate 200]

A steady writer logs and rotates. Two agents read it, each with a buffer of its own and three sinks (a directory, S3,
a search server: stand-ins): one lives through all of it, so that what gathers in a process is seen; the other is
killed with SIGKILL, stopped or reloaded at random moments and started again, so that what gathers on disk is seen.
Faults come one after the other, in a new order each round (soak_faults.py): servers that are down, busy, slow or
lose their answers, sinks that park, a full disk (as root).

Sampled: anonymous and file-backed memory, the buffer's file and all of data_dir on disk, descriptors, threads, lines
of the agent's own log. At the end each line has arrived exactly once at each sink, byte for byte at the directory
and in S3, the agent's counters add up, and nothing has grown from the second quarter of the run to the last by more
than flat.py tolerates. A failure prints the command that repeats its plan. At 200 lines a second an hour takes
about 0.4 GB of memory for the stand-ins and 0.2 GB of disk.
"""
import argparse
import contextlib
import os
import random
import stat
import subprocess
import sys
import time
import unittest
import urllib.parse
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import agent  # noqa: E402
import flat  # noqa: E402
import soak_faults  # noqa: E402
from arrivals import Tally  # noqa: E402
from fault_client import FaultServer  # noqa: E402

MB = 1e6
SAMPLE = 3  # seconds
FAULT, REST = (4, 12), (3, 9)  # seconds, from and to
ROTATION, KEPT = 20, 10  # seconds of lines, and how many of them
DRAIN = 240  # seconds: a parked sink is tried again after one minute, with jitter
DISK = 1 << 30


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--agent", type=Path, default=agent.AGENT)
    p.add_argument("--tools", type=Path, required=True, help="the build's tests/ folder")
    p.add_argument("--minutes", type=float, default=15)
    p.add_argument("--rate", type=int, default=200, help="lines a second")
    p.add_argument("--rotate", choices=("rename", "copytruncate"), default="rename")
    p.add_argument("--seed", type=int, default=0, help="0: draw one")
    p.add_argument("--directory", default="/var/tmp", help="where to work: a disk")
    o = p.parse_args()
    o.seed = o.seed or random.SystemRandom().randrange(1, 1 << 31)
    agent.AGENT, agent.TOOLS = str(o.agent.absolute()), o.tools.absolute() / "support"
    return o


# --- an agent's life --------------------------------------------------------------------------------


class Life:
    """An agent with a place of its own. `mortal`: it is killed and started again."""

    def __init__(self, name, o, logs, store, search, mortal, at_the_end):
        self.name, self.logs, self.store, self.search, self.mortal = name, logs, store, search, mortal
        self.box = at_the_end.enter_context(agent.Sandbox(parent=o.directory))
        self.disk = self.place() if os.geteuid() == 0 else None
        self.samples, self.log_lines, self.deaths = [], 0, Counter()
        self.bucket, self.index = f"{soak_faults.BUCKET}-{name}"[1:], f"{soak_faults.INDEX}-{name}"[1:]
        self.keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": agent.secret(self.box.root / "key", "a key")}
        self.configure()
        self.start()

    def start(self):
        """Until then a signal would end it, where it only asks for something."""
        self.process = self.box.start()
        agent.wait_until(lambda: not self.process.running() or self.process.handles_sigterm(), 30,
                         f"the agent {self.name} takes signals")

    def place(self):
        """A file system of its own for the buffer and the directory, which a fault can fill."""
        disk = self.box.root / "disk"
        disk.mkdir()
        try:
            self.box.mount_ext4(disk, DISK)
        except unittest.SkipTest:
            return None
        self.box.data, self.box.stick = disk / "data", disk / "stick"
        self.box.out = self.box.stick / "out"
        self.box.data.mkdir()
        self.box.out.mkdir(parents=True)
        return disk

    def configure(self, age="2s"):
        batch = {"max_size": "64KiB", "max_age": age}
        s3 = {"type": "s3", "path": None, "bucket": self.bucket, "region": "eu-west-1", "endpoint": self.store.url,
              "credentials": self.keys, "batch": batch}
        search = {"type": "elasticsearch", "path": None, "compression": None, "index": self.index,
                  "endpoints": [self.search.url], "batch": {"max_age": age}}
        self.box.config(buffer={"max_size": "64MiB", "commit_interval": "1s"},
                        source={"paths": [f"{self.logs}/*.log*"], "poll_interval": None},
                        sinks={"archive": {"batch": batch}, "bucket": s3, "search": search})

    # --- what it costs ----------------------------------------------------------------------------

    def sample(self, now):
        if not self.process.running():
            raise agent.Failed(f"the agent {self.name} ended by itself, exit code {self.process.popen.returncode}:\n"
                               f"{self.process.output()[-4000:]}")
        proc = Path(f"/proc/{self.process.pid}")
        files = [file for file in map(stat_of, Path(self.box.data).iterdir()) if file and stat.S_ISREG(file.st_mode)]
        lines, before = self.box.agent_log.read_bytes().count(b"\n"), self.log_lines
        self.log_lines = lines
        minutes = (now - self.samples[-1][0]) / 60 if self.samples else 1
        self.samples.append((now, {
            "anonymous MB": self.process.status_field("RssAnon") * 1024 / MB,
            "file-backed MB": self.process.status_field("RssFile") * 1024 / MB,
            "buffer file MB": max((file.st_size for file in files), default=0) / MB,
            "data_dir on disk MB": sum(file.st_blocks for file in files) * 512 / MB,
            "descriptors": len(os.listdir(proc / "fd")),
            "threads": self.process.status_field("Threads"),
            "log lines a minute": (lines - before) / minutes}))

    # --- its deaths -------------------------------------------------------------------------------

    def die(self, rng):
        """SIGKILL, or now and then SIGTERM; back after up to two seconds."""
        how = rng.choice(("kill -9", "kill -9", "kill -9", "SIGTERM"))
        if how == "SIGTERM":
            self.process.stop(seconds=20)
        elif not self.process.kill():
            raise agent.Failed(f"the agent {self.name} ended by itself:\n{self.process.output()[-4000:]}")
        self.deaths[how] += 1
        time.sleep(rng.uniform(0, 2))
        self.start()

    # --- what it says, and what came --------------------------------------------------------------

    def drained(self):
        try:
            status = self.box.status()
        except agent.Failed:
            return False
        return status["running"] and status["sources"] and all(s["behind_bytes"] == 0 for s in status["sources"]) \
            and all(s["backlog"]["records"] == 0 for s in status["sinks"])

    def adds_up(self):
        """committed = delivered + buffered + dropped + dead-lettered, and of those two there are none."""
        status = self.box.status()
        committed = sum(s["committed"]["records"] for s in status["sources"])
        for sink in status["sinks"]:
            dropped = sum(one["records"] for one in sink["dropped"].values())
            counted = {"delivered": sink["delivered"]["records"], "buffered": sink["backlog"]["records"],
                       "dropped": dropped, "dead-lettered": sink["dead_lettered"]["records"]}
            if sum(counted.values()) != committed or dropped or counted["dead-lettered"]:
                raise agent.Failed(f"{self.name}, {sink['name']}: {committed} committed, {counted}")

    def check(self, manifest, lines, ordered):
        """Each line once at each sink; what check_lines says of two of them."""
        home = self.box.root / "bucket"
        home.mkdir()
        asked = {urllib.parse.urlsplit(entry["path"]).path for entry in self.store.log("PUT")}
        for path in sorted(path for path in asked if path.startswith(f"/{self.bucket}/")):
            (home / Path(path).name).write_bytes(self.store.get(path))
        for where in (self.box.out, home):
            self.box.check(*ordered, directory=where, manifest=manifest)
        tally = Tally(lines)
        tally.take(self.search.get(f"/__marks/{self.index}"))
        if tally.missing or tally.doubled or tally.unknown:
            raise agent.Failed(f"{self.name}, search: {tally.missing} missing, {tally.doubled} doubled, "
                               f"{tally.unknown} unknown; the first missing: {tally.first_missing()}")
        self.box.verify()


# --- the run ----------------------------------------------------------------------------------------


class Soak:
    def __init__(self, o, at_the_end):
        self.o, self.rng, self.met = o, random.Random(o.seed), Counter()
        self.store = at_the_end.enter_context(FaultServer("fault_server.py"))
        self.search = at_the_end.enter_context(FaultServer("fault_server.py", "--bulk", "--marks"))
        self.writing = at_the_end.enter_context(agent.Sandbox(parent=o.directory))
        self.lives = [Life(name, o, self.writing.logs, self.store, self.search, name == "mortal", at_the_end)
                      for name in ("lasting", "mortal")]
        self.faults = soak_faults.all_of_them(self.store, self.search, all(life.disk for life in self.lives))
        self.next_sample = time.monotonic()

    def run(self):
        # Longer than any fault keeps an agent from reading, and all there before the second quarter: a rotation
        # that was read stays open while it is there.
        writer = self.writing.writer(lines=0, rate=self.o.rate, seed=self.o.seed, rotate=self.o.rotate,
                                     rotate_lines=self.o.rate * ROTATION, keep=KEPT)
        end = time.monotonic() + self.o.minutes * 60
        while time.monotonic() < end:
            for name in self.rng.sample(sorted(self.faults), len(self.faults)):
                if time.monotonic() < end:
                    self.meet(name)
        written = self.writing.stop_writer(writer)
        self.settle()
        return written

    def meet(self, name):
        fault = self.faults[name]
        self.met[name] += 1
        # Of its own: what the clock leaves out of one meeting changes nothing of the next.
        rng = random.Random(self.rng.random())
        fault.begin(self.lives, rng)
        try:
            self.pause(rng.uniform(*FAULT), rng, deadly=rng.random() < 0.5)
        finally:
            fault.end(self.lives, rng)
        self.pause(rng.uniform(*REST), rng, deadly=rng.random() < 0.2)

    def pause(self, seconds, rng, deadly):
        """Samples meanwhile; at a random moment of it mortal agents die."""
        begin = time.monotonic()
        death = begin + rng.uniform(0, seconds) if deadly else None
        while time.monotonic() < begin + seconds:
            if death and time.monotonic() > death:
                death = None
                for life in self.lives:
                    if life.mortal:
                        life.die(rng)
            if time.monotonic() >= self.next_sample:
                self.next_sample = time.monotonic() + SAMPLE
                for life in self.lives:
                    life.sample(time.monotonic())
            time.sleep(0.05)

    def settle(self):
        for life in self.lives:
            try:
                agent.wait_until(life.drained, DRAIN, f"all is delivered by the agent {life.name}", 0.5)
            except agent.Failed as why:
                raise agent.Failed(f"{why}\n{life.box.call('status').stdout}") from why
            life.adds_up()
            life.process.stop(seconds=20)

    def check(self, written):
        lines = int(written.split()[0])
        ordered = ["--in-order"] if self.o.rotate == "rename" else []
        for life in self.lives:
            life.check(self.writing.manifest, lines, ordered)

    def report(self, written):
        """Prints it; the figures that grew."""
        grew = []
        print(f"{self.o.minutes:g} minutes, seed {self.o.seed}; written: {written}; each line arrived once at each "
              f"sink of each agent\nfaults: {told(self.met)}\n")
        print("| agent | figure | 2nd quarter | last quarter | grew | tolerated | |\n|---|---|---|---|---|---|---|")
        for life in self.lives:
            for row in flat.judged(life.samples):
                print(f"| {life.name} | {row.figure} | {row.before:.3g} | {row.after:.3g} | "
                      f"{row.after - row.before:+.2g} | {row.allowed:.2g} | {'flat' if row.flat else 'GREW'} |")
                if not row.flat:
                    grew.append(f"{life.name}: {row.figure}")
        for life in self.lives:
            print(f"\n{life.name}: {len(life.samples)} samples; {told(life.deaths) or 'one process throughout'}", end="")
        print()
        return grew


def stat_of(path):
    """None where it has just gone."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def told(counts):
    return ", ".join(f"{name} {times}" for name, times in sorted(counts.items()))


def main():
    o = options()
    again = " ".join([sys.executable, *sys.argv, "--seed", str(o.seed)])  # of two seeds the last one counts
    with contextlib.ExitStack() as at_the_end:
        try:
            soak = Soak(o, at_the_end)
            written = soak.run()
            soak.check(written)
            if grew := soak.report(written):
                raise agent.Failed(f"grew: {', '.join(grew)}")
        except (agent.Failed, ValueError, OSError, subprocess.SubprocessError) as failure:
            print(f"FAILED: {failure}\nagain: {again}", file=sys.stderr)
            raise SystemExit(1) from failure
    print(f"again: {again}")


if __name__ == "__main__":
    main()
