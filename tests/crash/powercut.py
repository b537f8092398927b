#!/usr/bin/env python3
"""powercut: the power is cut at random writes of a run, and every line must still arrive exactly once.

1. The agent runs on a log that is written and rotated, with every change that it makes to its
   data_dir and to the sink's directory recorded in order (record_writes.cpp).
2. For a random moment of the recording an image is built of what a disk may then hold: all that was
   synced; of the rest a random part, whole, in pieces of a page or torn into sectors of 512 bytes;
   names only as far as their directory was synced, and a random number of changes further.
3. The agent starts on the image, with the log files as they are now: 0 lost, 0 doubled, the buffer
   sound.

The model is stricter than most file systems: a file's sync does not make its name durable, and
directories do not wait for each other. The recording differs from run to run; the moments and the
parts come from the seed.
"""
import argparse
import os
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import agent  # noqa: E402


class Disk:
    """What is durable, and what is not yet."""

    def __init__(self, roots):
        self.content = {}    # file -> bytearray, durable
        self.pending = {}    # file -> changes since its last sync
        self.names = {}      # path -> file, durable; directories: path -> None
        self.changes = {}    # directory -> changes of names since its last sync
        self.files = {}      # inode -> file, as of now; a reused inode is another file
        self.now = {}        # path -> file, as of now
        self.made = 0
        for root in roots:
            self.names[root] = self.now[root] = None

    def file(self, inode):
        if inode not in self.files:  # of an unnamed or unseen file: its own
            self.new_file(inode)
        return self.files[inode]

    def new_file(self, inode):
        self.made += 1
        self.files[inode] = self.made
        self.content[self.made] = bytearray()
        self.pending[self.made] = []

    def change(self, directory, *change):
        self.changes.setdefault(directory, []).append(change)
        apply_name(self.now, change)

    def apply(self, event):
        kind, words, data = event
        if kind == "create":
            inode, path = words[0].split(" ", 1)
            self.new_file(inode)
            self.change(os.path.dirname(path), "add", path, self.files[inode])
        elif kind == "mkdir":
            _, path = words[0].split(" ", 1)
            self.change(os.path.dirname(path), "add", path, None)
        elif kind == "rename":
            source, target = words[0].split("\t")
            self.change(os.path.dirname(target), "rename", source, target, self.now.get(source))
        elif kind == "link":
            source, target = words[0].split("\t")
            self.change(os.path.dirname(target), "add", target, self.now.get(source))
        elif kind in ("unlink", "rmdir"):
            self.change(os.path.dirname(words[0]), "remove", words[0])
        elif kind == "sync":
            inode, path = words[0].split(" ", 1)
            if path in self.now and self.now[path] is None:
                for change in self.changes.pop(path, []):
                    apply_name(self.names, change)
            else:
                file = self.file(inode)
                for change in self.pending[file]:
                    apply_content(self.content[file], change)
                self.pending[file] = []
        else:
            numbers = words[0].split(" ")
            file = self.file(numbers[0])
            if kind == "write":
                change = ("write", int(numbers[1]), data)
                if numbers[2] == "1":  # O_DSYNC: durable when it returned
                    apply_content(self.content[file], change)
                else:
                    self.pending[file].append(change)
            elif kind == "size":
                self.pending[file].append(("size", int(numbers[1])))
            else:
                self.pending[file].append(("zero", int(numbers[1]), int(numbers[2])))

    def image(self, rng, in_flight):
        """Names and contents after a cut now, while `in_flight` was under way."""
        names = dict(self.names)
        for directory, changes in self.changes.items():
            for change in changes[:rng.randint(0, len(changes))]:
                apply_name(names, change)
        extra = {}
        if in_flight[0] == "write":
            numbers = in_flight[1][0].split(" ")
            extra[self.file(numbers[0])] = ("write", int(numbers[1]), in_flight[2])
        style = rng.choice(("none", "all", "prefix", "pages", "sectors"))
        contents = {}
        for file in set(f for f in names.values() if f is not None):
            changes = self.pending[file] + ([extra[file]] if file in extra else [])
            contents[file] = damaged(self.content[file], changes, style, rng) if changes else self.content[file]
        return names, contents, style


def apply_name(names, change):
    if change[0] == "add":
        names[change[1]] = change[2]
    elif change[0] == "remove":
        names.pop(change[1], None)
    else:
        _, source, target, file = change
        names.pop(source, None)
        names[target] = file


def apply_content(content, change):
    if change[0] == "size":
        grow = change[1] - len(content)
        if grow < 0:
            del content[change[1]:]
        else:
            content.extend(bytes(grow))
        return
    at, data = change[1], change[2]
    if change[0] == "zero":
        data = bytes(max(0, min(data, len(content) - at)))
    if len(content) < at + len(data):
        content.extend(bytes(at + len(data) - len(content)))
    content[at:at + len(data)] = data


def damaged(content, changes, style, rng):
    content = bytearray(content)
    if style == "none":
        return content
    if style in ("all", "prefix"):
        for change in changes[:len(changes) if style == "all" else rng.randint(0, len(changes))]:
            apply_content(content, change)
        return content
    piece = 4096 if style == "pages" else 512
    share = rng.choice((0.1, 0.5, 0.9))
    for change in changes:
        if change[0] != "write":
            if rng.random() < share:
                apply_content(content, change)
            continue
        at, data = change[1], change[2]
        begin = 0
        while begin < len(data):
            end = min(len(data), begin + piece - (at + begin) % piece)
            if rng.random() < share:
                apply_content(content, ("write", at + begin, data[begin:end]))
            begin = end
    return content


def read_recording(path):
    events, data, at = [], Path(path).read_bytes(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        kind, _, rest = data[at:end].decode("utf8", "surrogateescape").partition(" ")
        at = end + 1
        body = None
        if kind == "write":
            size = int(rest.rsplit(" ", 1)[1])
            body = data[at:at + size]
            at += size + 1
        events.append((kind, [rest], body))
    return events


def write_image(names, contents, old_root, new_root):
    """The image below new_root; a name whose directory did not survive is lost with it."""
    for path in sorted(names):
        if not path.startswith(old_root):
            continue
        target = new_root + path[len(old_root):]
        if not os.path.isdir(os.path.dirname(target)):
            continue
        if names[path] is None:
            os.makedirs(target, exist_ok=True)
        else:
            with open(target, "wb") as f:
                f.write(contents[names[path]])


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cuts", type=int, default=200)
    p.add_argument("--seconds", type=float, default=4, help="how long to record")
    p.add_argument("--rate", type=int, default=4000, help="lines a second")
    p.add_argument("--compression", choices=("zstd", "gzip", "none"), default="zstd")
    p.add_argument("--encrypted-buffer", action="store_true")
    p.add_argument("--kills", type=int, default=2, help="kill -9 so often while recording")
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
               source={"paths": [f"{box.root}/logs/*.log*"]},
               sink={"compression": o.compression, "prefix": "!{label:site}/!{timestamp:yyyy/MM}/",
                     "batch": {"max_size": "8KiB", "max_age": "1s"}},
               agent={"labels": {"site": "north"}})


def record(box, o, rng):
    recording = box.root / "recording"
    env = {**os.environ, "LD_PRELOAD": str(o.recorder), "EDGEHOSE_RECORD_LOG": str(recording),
           "EDGEHOSE_RECORD_ROOTS": f"{box.data}:{box.out}"}
    writer = box.writer(lines=0, rate=o.rate, seed=o.seed, rotate="rename", rotate_lines=o.rate, write="page")
    for i in range(o.kills + 1):
        process = box.start(env=env)
        time.sleep(o.seconds / (o.kills + 1) * rng.uniform(0.7, 1.3))
        if i < o.kills:
            process.kill()
        else:
            time.sleep(1)
            process.stop()
    box.stop_writer(writer)
    events = read_recording(recording)
    if not any(e[0] == "sync" for e in events) or not any(e[0] == "rename" for e in events):
        raise agent.Failed("the recorder saw no syncs or no deliveries: it does not see what the agent does")
    return events


def cut(box, o, disk, rng, event, number):
    names, contents, style = disk.image(rng, event)
    data, out = box.data, box.out
    box.data, box.out = box.root / f"cut-{number}-data", box.root / f"cut-{number}-out"
    try:
        for old, new in ((data, box.data), (out, box.out)):
            new.mkdir()
            write_image(names, contents, str(old), str(new))
        configure(box, o, box.keys)
        box.run_once(timeout=30)
        box.check()
        box.verify()
    except agent.Failed as failure:
        raise agent.Failed(f"cut {number}, style {style}, before event {event[0]} {event[1][0][:100]}:\n{failure}")
    shutil.rmtree(box.data)
    shutil.rmtree(box.out)
    box.data, box.out = data, out
    return style


def main():
    o = options()
    rng = random.Random(o.seed)
    again = " ".join([sys.executable, *sys.argv] + ([] if "--seed" in sys.argv else ["--seed", str(o.seed)]))
    begin = time.monotonic()
    styles = {}
    with agent.Sandbox(keep=o.keep, discard=o.discard) as box:
        box.keys = [box.buffer_key()] if o.encrypted_buffer else None
        try:
            configure(box, o, box.keys)
            events = record(box, o, rng)
            moments = sorted(rng.sample(range(len(events)), min(o.cuts, len(events))))
            disk, done = Disk([str(box.data), str(box.out)]), 0
            for number, moment in enumerate(moments):
                for event in events[done:moment]:
                    disk.apply(event)
                done = moment
                style = cut(box, o, disk, rng, events[moment], number)
                styles[style] = styles.get(style, 0) + 1
        except agent.Failed as failure:
            print(f"FAILED: {failure}\nagain: {again}", file=sys.stderr)
            raise SystemExit(1) from failure
    print(f"{len(events)} events recorded, {len(moments)} power cuts "
          f"({', '.join(f'{k} {n}' for k, n in sorted(styles.items()))}): 0 lost, 0 doubled, "
          f"in {time.monotonic() - begin:.0f} s")


main()
