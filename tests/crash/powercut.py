#!/usr/bin/env python3
"""powercut: the power is cut at random writes of a run, and what is promised must still hold.

1. The agent runs on logs that are written and rotated. Every change to its data_dir, to the sink's
   directory and to the logs is recorded, in the order in which they were made (record_writes.cpp).
2. For a random moment of the recording an image is built of what a disk may then hold (disk.py): all
   that was synced, and a random part of the rest. The logs too end where the disk had come to.
3. After another boot the writers go on, then the agent starts. Of every log that is still there each
   line must arrive exactly once, also the new ones, and nothing that the disk did not keep (a position
   past it would skip new lines). Of a log that lost its name a beginning. The buffer must be sound.

With --damage the sink is away at first, the buffer is then damaged, and the power is cut while the
agent salvages it, and soon after: all of the lines must arrive exactly once all the same, also those of
rotations that came since the copy of the positions was written.

The model is stricter than most file systems: a file's sync does not make its name durable, and
directories do not wait for each other. The recording differs from run to run; the moments and the
parts come from the seed.
"""
import argparse
import fcntl
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import agent  # noqa: E402
from disk import Disk, read_recording, write_image  # noqa: E402
from source_logs import Check, SourceLogs  # noqa: E402


# What a child does to the buffer `path`, open as `fd`, where the recorder sees it.
DAMAGES = {
    "meta_pages": "os.pwrite(fd, bytes(8192), 0)",
    "a_meta_page": "os.pwrite(fd, bytes(4096), 0)",
    "emptied": "os.ftruncate(fd, 0)",
}


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cuts", type=int, default=200)
    p.add_argument("--seconds", type=float, default=4, help="how long to record")
    p.add_argument("--rate", type=int, default=4000, help="lines a second, of all files together")
    p.add_argument("--files", type=int, default=1, help="logs; beyond 32 the agent syncs their file system")
    p.add_argument("--compression", choices=("zstd", "gzip", "none"), default="zstd")
    p.add_argument("--encrypted-buffer", action="store_true")
    p.add_argument("--kills", type=int, default=2, help="kill -9 so often while recording")
    p.add_argument("--ignore-log-syncs", action="store_true",
                   help="the disk does: logs may then be shorter than their positions")
    p.add_argument("--agent-first", action="store_true",
                   help="it looks at the logs before their writers go on, so that it sees a shorter one")
    p.add_argument("--damage", choices=DAMAGES, help="damage the buffer before the last start, and cut then")
    p.add_argument("--seed", type=int, default=0, help="0: draw one")
    p.add_argument("--agent", default=agent.AGENT)
    p.add_argument("--tools", type=Path, default=agent.TOOLS)
    p.add_argument("--recorder", type=Path, required=True, help="record_writes.so")
    p.add_argument("--keep", action="store_true", help="keep the directory")
    p.add_argument("--discard", action="store_true", help="keep nothing, also when it failed")
    o = p.parse_args()
    o.seed = o.seed or random.SystemRandom().randrange(1, 1 << 31)
    agent.AGENT, agent.TOOLS = o.agent, o.tools
    return o


def configure(box, o, keys):
    box.config(buffer={"commit_interval": "50ms", **({"encryption_keys": keys} if keys else {})},
               sink={"compression": o.compression, "prefix": "!{label:site}/!{timestamp:yyyy/MM}/",
                     "batch": {"max_size": "8KiB", "max_age": "1s"}},
               agent={"labels": {"site": "north"}})


def kill(process, recording):
    """Between two changes: one that was made and not noted would be missing in every image."""
    with open(recording, "ab") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        process.kill()


def writers(box, o, env):
    # After damage: some of the rotations must have come after the last copy.
    rotate_lines = o.rate // o.files // (4 if o.damage else 1)
    names = ["app"] if o.files == 1 else [f"unit{i:02}" for i in range(o.files)]
    return [box.writer(file=f"{name}.log", manifest=box.root / f"manifest-{name}", run=name.upper(), lines=0,
                       rate=o.rate / o.files, seed=o.seed, rotate="rename", rotate_lines=rotate_lines,
                       write="page" if o.files == 1 else "line", env=env) for name in names]


def damage(box, o, env):
    code = f"import os, sys; fd = os.open(sys.argv[1], os.O_RDWR); {DAMAGES[o.damage]}; os.fsync(fd)"
    subprocess.run([sys.executable, "-c", code, box.data / "buffer.mdb"], env=env, check=True)


def record(box, o, rng):
    recording = box.root / "recording"
    env = {**os.environ, "LD_PRELOAD": str(o.recorder), "EDGEHOSE_RECORD_LOG": str(recording),
           "EDGEHOSE_RECORD_ROOTS": f"{box.data}:{box.out}:{box.logs}"}
    writing = writers(box, o, env)
    if o.damage:
        box.take_sink_away()
    for i in range(o.kills + 1):
        if o.damage and i == o.kills:
            damage(box, o, env)
            box.give_sink_back()
        process = box.start(env=env)
        time.sleep(o.seconds / (o.kills + 1) * rng.uniform(0.7, 1.3))
        if i < o.kills:
            kill(process, recording)
        else:
            time.sleep(1)
            agent.wait_until(process.handles_sigterm, what="the agent's start")
            process.stop()
    for writer in writing:
        box.stop_writer(writer)
    events = read_recording(recording)
    kinds = {e[0] for e in events}
    for kind in ("sync", "rename") + (("syncfs",) if o.files > 32 else ()):
        if kind not in kinds:
            raise agent.Failed(f"no {kind} was recorded: the recorder does not see what the agent does")
    return events


def moments_of(events, o, rng):
    if not o.damage:
        return sorted(rng.sample(range(len(events)), min(o.cuts, len(events))))
    # The salvage's own changes are few: three cuts of four while they are made.
    made = [i for i, e in enumerate(events) if e[0] == "create" and e[1][0].endswith("buffer.mdb.salvaging.new")]
    placed = [i for i, e in enumerate(events) if e[0] == "rename" and ".salvaging\t" in e[1][0]]
    if len(made) != 1 or len(placed) != 1:
        raise agent.Failed(f"{len(made)} salvages were begun and {len(placed)} ended: one was to be")
    salvage, later = range(made[0], placed[0] + 8), range(placed[0], len(events))
    return sorted(rng.choices(salvage, k=o.cuts * 3 // 4) + rng.choices(later, k=o.cuts - o.cuts * 3 // 4))


class Cuts:
    def __init__(self, box, o, rng, logs):
        self.box, self.o, self.rng, self.logs = box, o, rng, logs
        self.styles, self.shorter = {}, 0

    def cut(self, disk, event, number):
        names, contents, style = disk.image(self.rng, event)
        box, data, out = self.box, self.box.data, self.box.out
        box.data, box.out = box.root / f"cut-{number}-data", box.root / f"cut-{number}-out"
        try:
            for old, new in ((data, box.data), (out, box.out)):
                new.mkdir()
                write_image(names, contents, str(old), str(new))
            self.boot(disk, self.logs.restore(names, contents, disk.inodes), number)
        except agent.Failed as failure:
            raise agent.Failed(f"cut {number}, style {style}, before event {event[0]} "
                               f"{event[1][0][:100]}:\n{failure}") from failure
        shutil.rmtree(box.data)
        shutil.rmtree(box.out)
        box.data, box.out = data, out
        self.styles[style] = self.styles.get(style, 0) + 1

    def boot(self, disk, there, number):
        box, o = self.box, self.o
        boot_id = box.root / "boot_id"
        boot_id.write_text(f"{uuid.UUID(int=self.rng.getrandbits(128))}\n")
        env = {**os.environ, "LD_PRELOAD": str(o.recorder), "EDGEHOSE_RECORD_BOOT_ID": str(boot_id)}
        configure(box, o, box.keys)
        log = box.run_once(timeout=30, env=env).output() if o.agent_first else ""
        new_lines = self.logs.write_on(number)
        box.run_once(timeout=30, env=env)
        written = {f: c for f, c in disk.written.items() if disk.inodes[f] in self.logs.times}
        check = Check(written, there, new_lines, o.ignore_log_syncs)
        check.run(box.lines())
        box.verify()
        if o.agent_first and check.shorter > log.count("shorter than what was read of it"):
            raise agent.Failed(f"of {check.shorter} logs shorter than their positions not all are told:\n{log}")
        self.shorter += check.shorter


def main():
    o = options()
    rng = random.Random(o.seed)
    again = " ".join([sys.executable, *sys.argv] + ([] if "--seed" in sys.argv else ["--seed", str(o.seed)]))
    begin = time.monotonic()
    with agent.Sandbox(keep=o.keep, discard=o.discard) as box:
        box.left_damaged = True  # each cut verifies its own buffer, which is gone at the end
        box.keys = [box.buffer_key()] if o.encrypted_buffer else None
        try:
            configure(box, o, box.keys)
            events = record(box, o, rng)
            moments = moments_of(events, o, rng)
            roots = [str(box.data), str(box.out), str(box.logs)]
            disk, done = Disk(roots, str(box.logs), o.ignore_log_syncs), 0
            cuts = Cuts(box, o, rng, SourceLogs(box.logs, box.root / "kept"))
            for number, moment in enumerate(moments):
                for event in events[done:moment]:
                    disk.apply(event)
                done = moment
                cuts.cut(disk, events[moment], number)
        except agent.Failed as failure:
            print(f"FAILED: {failure}\nagain: {again}", file=sys.stderr)
            raise SystemExit(1) from failure
    syncs = sum(kind in ("sync", "syncfs") and Disk.below(words[0].split(" ", 1)[1], roots[2])
                for kind, words, _ in events)
    print(f"{len(events)} events recorded, {syncs} of them syncs of logs; {len(moments)} power cuts "
          f"({', '.join(f'{k} {n}' for k, n in sorted(cuts.styles.items()))}), "
          f"{cuts.shorter} logs shorter than their position: 0 lost, 0 doubled, "
          f"in {time.monotonic() - begin:.0f} s")


main()
