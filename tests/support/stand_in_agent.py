#!/usr/bin/env python3
"""A stand-in for the agent, to test the tests: without it, a check that cannot fail looks the same as
one that passes. It has just enough of the command line to go through tests/crash/kill9.py:

    run [--once] --config FILE      tails what the config's first `paths` matches into the sink's `path`
    buffer verify --config FILE     is content

It has no state but its objects: a name says which bytes of which inode are inside, so it is exactly
once under rename rotation. $STAND_IN_BUG breaks it: `lose` notes the position first and delivers
afterwards, `double` delivers first and notes the position afterwards, `unsynced` renames an object
without syncing it, `unsynced_log` delivers what its log file may lose in a power cut.
"""
import glob
import os
import re
import signal
import sys
import time

try:
    import tomllib
except ModuleNotFoundError:
    sys.exit("stand_in_agent: needs Python 3.11")


def main():
    if sys.argv[1:3] == ["buffer", "verify"]:
        return
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    config = tomllib.load(open(sys.argv[sys.argv.index("--config") + 1], "rb"))
    pattern = next(iter(config["sources"].values()))["paths"][0]
    out = next(iter(config["sinks"].values()))["path"]
    notes = config["agent"]["data_dir"]
    bug = os.environ.get("STAND_IN_BUG", "")

    noting = bug in ("lose", "double")  # positions in files of their own: a second registry

    positions = {}
    for name in os.listdir(notes if noting else out):
        if m := re.fullmatch(r"(\d+)-\d+-(\d+)\.log.*", name):
            inode, end = int(m[1]), int(m[2])
            positions[inode] = max(positions.get(inode, 0), end)

    def note(name):
        if noting:
            open(f"{notes}/{name}", "w").close()

    def step():
        moved = False
        for path in glob.glob(pattern):
            try:
                with open(path, "rb") as f:
                    inode = os.fstat(f.fileno()).st_ino
                    begin = positions.get(inode, 0)
                    f.seek(begin)
                    data = f.read(most := 1 << 16)
                    if bug != "unsynced_log":
                        os.fdatasync(f.fileno())
            except FileNotFoundError:
                continue
            if "--once" not in sys.argv or len(data) == most:  # else the last line needs no LF
                data = data[:data.rfind(b"\n") + 1]
            if not data:
                continue
            name = f"{inode}-{begin}-{begin + len(data)}.log"
            if bug == "lose":
                note(name)
                time.sleep(0.01)
            stored = data if data.endswith(b"\n") else data + b"\n"
            with open(f"{out}/.{name}", "wb") as f:
                f.write(stored)
                f.flush()
                if bug != "unsynced":
                    os.fsync(f.fileno())
            os.rename(f"{out}/.{name}", f"{out}/{name}")
            directory = os.open(out, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
            if bug == "double":
                time.sleep(0.01)
                note(name)
            positions[inode] = begin + len(data)
            moved = True
        return moved

    while step() or "--once" not in sys.argv:
        time.sleep(0.002)


main()
