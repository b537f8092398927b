#!/usr/bin/env python3
"""kill9: the agent is killed at random moments of a run, and every line must still arrive exactly once.

A writer logs and rotates all the time. The agent is started, killed with SIGKILL, started again, for
as many rounds as asked. A round's moment is drawn from the seed:
  anytime   5 to 400 ms after the start, to 1.5 s with a server
  early     2 to 40 ms after it: while it opens and recovers
  commit    right after the buffer's file changed, 0 to 3 ms later
  delivery  right after the sink's directory, bucket or index changed, 0 to 3 ms later
With --bucket the sink is a bucket of a real server; with --parts its objects go up in several parts,
and at the end no upload may be left that was neither completed nor aborted. With --search it is an
index of a real search server.
With --full-disk another program takes what is left of the disk, before a start or while the agent
runs, and gives it back some rounds later.
At the end `run --once` delivers the rest. Then no line may be missing or doubled, in any order of
commits, claims, renames and acknowledgements that the kills left behind; and where rotations are
renames, none may be out of order.

The moments are real time, so a seed repeats the plan, not the instruction: run it again, or for
longer, to meet the same fault.
"""
import argparse
import contextlib
import os
import random
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import agent  # noqa: E402
import bucket  # noqa: E402
import search_index  # noqa: E402

KINDS = ("anytime", "early", "commit", "delivery")


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=200)
    p.add_argument("--mode", choices=("rename", "copytruncate"), default="rename")
    p.add_argument("--compression", choices=("zstd", "gzip", "none"), default="zstd")
    p.add_argument("--compress-rotations", choices=("none", "gzip", "zstd"), default="none")
    p.add_argument("--format", choices=("lines", "ndjson"), default="lines")
    p.add_argument("--commits", choices=("fast", "sd_card", "ssd"), default="fast",
                   help="fast: every 100 ms or 1 s; else a storage profile as it is shipped")
    p.add_argument("--encrypted-buffer", action="store_true")
    p.add_argument("--age", action="store_true", help="encrypt the objects")
    p.add_argument("--full-disk", action="store_true",
                   help="buffer and sink on a disk of 48 MiB that fills and is freed (root)")
    p.add_argument("--bucket", choices=bucket.SERVERS, metavar="SERVER",
                   help="deliver into a bucket of it: %(choices)s")
    p.add_argument("--parts", action="store_true", help="with --bucket: objects of several parts")
    p.add_argument("--search", choices=search_index.SERVERS, metavar="SERVER",
                   help="deliver into an index of it: %(choices)s")
    p.add_argument("--write", choices=("line", "page", "partial"), default="page")
    p.add_argument("--rate", type=int, help="lines a second (5000; with --search 1000)")
    p.add_argument("--rotate-lines", type=int, help="default: 3000; 20000 with a shipped profile, "
                   "so that commits wait for 2 MiB, a ripe batch or the interval")
    p.add_argument("--window-lines", type=int, default=0,
                   help="copytruncate: lines written between the copy and the truncation; they may be "
                   "missing, nothing else may")
    p.add_argument("--any-order", action="store_true", help="the order of lines does not count")
    p.add_argument("--seed", type=int, default=0, help="0: draw one")
    p.add_argument("--agent", default=agent.AGENT)
    p.add_argument("--tools", type=Path, default=agent.TOOLS)
    p.add_argument("--keep", action="store_true", help="keep the directory")
    p.add_argument("--discard", action="store_true", help="keep nothing, also when it failed")
    o = p.parse_args()
    o.seed = o.seed or random.SystemRandom().randrange(1, 1 << 31)
    o.rotate_lines = o.rotate_lines or (3000 if o.commits == "fast" else 20000)
    o.rate = o.rate or (1000 if o.search else 5000)
    if o.bucket and o.search:
        p.error("--bucket or --search, not both")
    if o.parts and not o.bucket:
        p.error("--parts goes with --bucket")
    agent.AGENT, agent.TOOLS = o.agent, o.tools
    return o


def destination(o):
    """A server's; None: the sandbox's directory."""
    if o.search:
        return search_index.SearchIndex(o.search)
    return bucket.Bucket(o.bucket, o.parts) if o.bucket else None


def configure(box, o, there):
    buffer = {"commit_interval": "1s" if o.seed % 4 == 0 else "100ms"}
    batch = {"max_size": "8KiB", "max_age": "1s"}
    if o.commits != "fast":  # intervals and ages of days on a device: nothing is hurried
        buffer = {"commit_interval": None, "storage": o.commits}
        batch = {"max_size": "64KiB"}
    if o.encrypted_buffer:
        buffer["encryption_keys"] = [box.buffer_key()]
    encrypt = {"encrypt": {"age": [box.age_recipient()]}} if o.age else {}
    sink = {"compression": o.compression, "format": o.format, "batch": batch, **encrypt}
    box.config(buffer=buffer, sink=there.sink(sink) if there else sink)


class OtherProgram:
    """Fills the disk of the buffer and the sink, all of it or nearly, and later gives it back."""

    def __init__(self, box, rng):
        self.box, self.rng, self.disk, self.fills = box, rng, box.root / "disk", 0
        self.disk.mkdir()
        box.mount_ext4(self.disk, 48 << 20)
        box.data, box.out = self.disk / "data", self.disk / "out"
        box.data.mkdir()
        box.out.mkdir()
        self.file = self.disk / "other"

    def act(self):
        if not any(e.name.endswith(".mdb") for e in os.scandir(self.box.data)):
            return  # no room for a new buffer: the agent says so and ends
        if self.file.exists():
            if self.rng.random() < 0.4:
                self.give_back()
        elif self.rng.random() < 0.5:
            self.fill(self.rng.choice((0, 0, 16 << 10, 256 << 10, 2 << 20)))

    def fill(self, leave):
        space = os.statvfs(self.disk)
        size = space.f_bavail * space.f_frsize - leave
        self.fills += 1
        with open(self.file, "wb") as f:
            while size > 0:
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, size)
                    return
                except OSError:  # less than was said, or the agent took some
                    size //= 2

    def give_back(self):
        self.file.unlink(missing_ok=True)


def buffer_stamp(box):
    return max((e.stat().st_mtime_ns for e in os.scandir(box.data) if e.name.endswith(".mdb")), default=0)


def sink_stamp(box):
    stamps = [os.stat(box.out).st_mtime_ns]
    for folder, _, _ in os.walk(box.out):
        stamps.append(os.stat(folder).st_mtime_ns)
    return max(stamps)


def wait_for_the_moment(box, kind, rng, there):
    if kind == "anytime":
        return time.sleep(rng.uniform(0.005, 1.5 if there else 0.4))
    if kind == "early":
        return time.sleep(rng.uniform(0.002, 0.04))
    sink = there.stamp if there else lambda: sink_stamp(box)
    stamp = sink if kind == "delivery" else lambda: buffer_stamp(box)
    time.sleep(rng.uniform(0, 0.3))
    before, end = stamp(), time.monotonic() + (2 if there else 0.5)
    while stamp() == before and time.monotonic() < end:
        time.sleep(0.001 if there else 0)  # the server shares the processor with this
    time.sleep(rng.choice((0, rng.uniform(0, 0.003))))


def rounds(box, o, rng, other, there):
    moments = dict.fromkeys(KINDS, 0)
    for i in range(o.rounds):
        if other:
            other.act()
        process = box.start()
        if other and rng.random() < 0.5:
            other.act()
        kind = rng.choice(KINDS)
        wait_for_the_moment(box, kind, rng, there)
        if not process.kill():
            raise agent.Failed(f"round {i + 1}: the agent ended by itself, exit code "
                               f"{process.popen.returncode}:\n{process.output()}")
        moments[kind] += 1
        if (i + 1) % 20 == 0:
            box.verify()
    return moments


def main():
    o = options()
    rng = random.Random(o.seed)
    again = " ".join([sys.executable, *sys.argv] + ([] if "--seed" in sys.argv else ["--seed", str(o.seed)]))
    begin = time.monotonic()
    with agent.Sandbox(keep=o.keep, discard=o.discard) as box, contextlib.ExitStack() as at_the_end:
        try:
            other = OtherProgram(box, rng) if o.full_disk else None
            there = destination(o)
            if there:
                at_the_end.callback(there.close)
            configure(box, o, there)
            writer = box.writer(lines=0, rate=o.rate, seed=o.seed, rotate=o.mode, rotate_lines=o.rotate_lines,
                                window_lines=o.window_lines, write=o.write, compress=o.compress_rotations,
                                bytes="utf8" if o.format == "ndjson" or o.search else "any",
                                **(bucket.LONG_LINES if o.parts else {}))
            moments = rounds(box, o, rng, other, there)
            written = box.stop_writer(writer)
            if other:
                other.give_back()
            box.run_once(timeout=60)
            told = there.take_home(box.out) if there else ""
            # Copies hide what was written first: only files that keep their inode tell the order.
            ordered = o.mode == "rename" and o.compress_rotations == "none" and not o.any_order
            found = box.check(*(["--in-order"] if ordered else []))
            box.verify()
        except agent.Failed as failure:
            print(f"FAILED: {failure}\nagain: {again}", file=sys.stderr)
            raise SystemExit(1) from failure
        except unittest.SkipTest as why:
            print(f"OK (skipped: {why})")
            return
    print(f"written: {written}; killed {o.rounds} times "
          f"({', '.join(f'{k} {n}' for k, n in moments.items())}) in {time.monotonic() - begin:.0f} s"
          + (f"; the disk was filled {other.fills} times" if other else ""))
    print(f"{told}{found}again: {again}")


main()
