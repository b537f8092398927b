#!/usr/bin/env python3
"""compare: one build of the agent beside another, in turn, so that a busy machine is busy for both.

    compare.py --agent A --beside B --tools build-tests/tests [--pairs 5] [--mb 128]

Prints Markdown: medians of each, and the median of the pairs' ratios with the least and the greatest. The main
job is a log that is read, compressed and delivered to a directory, lines passed through; its CPU is user + system of
the whole process. "Tailing" is READY=1, which the agent says when it reads; the buffer is new each time.
"""
import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import bench
import pairs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "promises"))
from promise import Systemd  # noqa: E402

IDLE = 5  # seconds of rest before memory is looked at


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("agent", "beside", "tools"):
        p.add_argument(f"--{name}", type=lambda s: Path(s).resolve(), required=True)
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--mb", type=float, default=128)
    p.add_argument("--directory", default="/var/tmp", help="where to work: a disk")
    return p.parse_args()


def bulk(work, box, row):
    """The main job; CPU seconds, and the anonymous peak in MB."""
    work.configure(box)
    os.link(work.log, box.logs / "app.log")
    row["CPU s of the main job"], _, anonymous, _ = work.once(box)
    row["anonymous MB at full speed, peak"] = anonymous * 1024 / bench.MB


def rest(work, box, row):
    """Started with nothing to do: milliseconds until it tails, and memory at rest, in MB."""
    work.configure(box)
    systemd = Systemd(str(box.root / "notify.sock"))
    begin = time.monotonic()
    process = box.start(env=systemd.env)
    bench.agent.wait_until(lambda: systemd.told("READY=1"), 30, "READY=1", 0.001)
    row["ms from start to tailing"] = (time.monotonic() - begin) * 1000
    time.sleep(IDLE)
    anonymous, file = bench.now_memory(process.pid)
    row["anonymous MB at rest"], row["file-backed MB at rest"] = (kb * 1024 / bench.MB for kb in (anonymous, file))
    process.stop()
    systemd.close()


def one(work, program):
    row = {}
    bench.agent.AGENT = str(program)
    for part in (bulk, rest):
        with work.box() as box:
            part(work, box, row)
    bench.say(f"{program}: CPU {row['CPU s of the main job']:.2f} s")
    return row


def main():
    o = options()
    bench.agent.TOOLS = o.tools / "support"
    work = bench.Bench(SimpleNamespace(directory=o.directory, bytes=o.mb * bench.MB))
    try:
        work.generate()
        programs = [o.agent, o.beside]
        measured = pairs.in_turn(o.pairs, programs, lambda program: one(work, program))
        print(f"{o.pairs} pairs in turn, {o.mb:g} MB of log each, load {os.getloadavg()[0]:.1f} at the end\n")
        pairs.table([program.name for program in programs], measured)
    finally:
        shutil.rmtree(work.work, ignore_errors=True)


if __name__ == "__main__":
    main()
