#!/usr/bin/env python3
"""peers: edgehose beside another agent, in turn: the same log, the same sink, pair by pair.

    peers.py --agent EDGEHOSE --tools build/tests --peer PROGRAM --config tests/bench/peers/NAME
             [--sink directory|s3|search] [--variant durable|shipped] [--pairs 5] [--mb 128]

Both get a log that is fully written, read it from its beginning, deliver it to a stand-in on this machine
(S3, Elasticsearch's bulk; or a directory) and are stopped by SIGTERM when all lines have come, when none has come
for a while, or when the time is over. Prints Markdown: CPU (user + system) and bytes written to disks of the
whole process group, from the kernel's accounts; the peak of its anonymous memory, sampled; seconds until the last
line came; as root also what reached a device that holds only the agent's data; and how many lines came, are
missing, came again. A ratio is edgehose's figure by the other's: below 1 is less.

A config is a template. Replaced are {log} {data} {out} {root} {endpoint} {host} {port} {bucket} {index}
{compression} {age} {config}; `# arguments: ...` in it is the command line; what stands between `# only WORD...:`
and `# end` is left out unless the sink and the variant have all of those names.
"""
import argparse
import contextlib
import os
import re
import shlex
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import bench
import pairs
from arrivals import SINKS, Tally
from process_group import ProcessGroup

HERE = Path(__file__).resolve().parent
OURS = HERE / "peers" / "edgehose.toml"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "key of the benchmark",
        "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}
NAMES = {"bucket": "bench", "index": "bench"}
POLL = 0.25  # seconds: how often is looked what came


def options(arguments=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--agent", type=Path, required=True)
    p.add_argument("--tools", type=Path, required=True, help="the build's tests/ folder")
    p.add_argument("--peer", type=Path, help="the other agent's program")
    p.add_argument("--config", type=Path, help="its config, a template")
    p.add_argument("--arguments", help="its command line, instead of the one that the template has")
    p.add_argument("--agent-config", type=Path, default=OURS, help="edgehose's template (%(default)s)")
    p.add_argument("--sink", choices=SINKS, default="s3")
    p.add_argument("--variant", choices=("durable", "shipped"), default="durable",
                   help="durable: the other one's buffer on disk, synced as far as it can; shipped: as it comes")
    p.add_argument("--compression", help="of S3 objects: zstd, gzip, none")
    p.add_argument("--age", type=int, help="seconds that a batch may wait (s3: 10; else 1)")
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--mb", type=float, default=128)
    p.add_argument("--limit", type=float, default=600, help="seconds for one run")
    p.add_argument("--quiet", type=float, default=30, help="seconds without a new line that end a run")
    p.add_argument("--no-device", action="store_true", help="no loop device, also as root")
    p.add_argument("--directory", default="/var/tmp", help="where to work: a disk")
    return p.parse_args(arguments)


# --- templates --------------------------------------------------------------------------------------

ONLY, END = re.compile(r"\s*# only ([\w ]+):\s*$"), re.compile(r"\s*# end\s*$")
ARGUMENTS = re.compile(r"^# arguments: (.+)$", re.M)


def chosen(text, words):
    """The template without the parts for others; Failed where it has parts for sinks, and none for this one."""
    kept, skipping, sinks = [], False, set()
    for line in text.splitlines():
        if only := ONLY.match(line):
            sinks |= SINKS.keys() & set(only[1].split())
            skipping = not words >= set(only[1].split())
        elif END.match(line):
            skipping = False
        elif not skipping:
            kept.append(line)
    if sinks and not sinks & words:
        raise bench.agent.Failed(f"there is no part for {' '.join(sorted(words & SINKS.keys()))}, "
                                 f"only for {', '.join(sorted(sinks))}")
    return "\n".join(kept) + "\n"


def filled(text, values):
    """Only names that are known are replaced: braces are part of many a config."""
    return re.sub(r"\{(\w+)\}", lambda m: str(values.get(m[1], m[0])), text)


class Contender:
    """An agent: its program, and how it is told what to do."""

    def __init__(self, name, program, template, arguments=None):
        self.name, self.program, self.template, self.text = name, program, template, template.read_text()
        found = ARGUMENTS.search(self.text)
        if not arguments and not found:
            raise bench.agent.Failed(f"{template}: it has no line `# arguments: ...`: say them with --arguments")
        self.arguments = arguments or found[1]

    def command(self, box, words, values):
        """Writes the config; the command line."""
        config = box.root / ("config" + self.template.suffix)  # by which some tell the format
        values = {**values, "config": config}
        try:
            config.write_text(filled(chosen(self.text, words), values))
        except bench.agent.Failed as why:
            raise bench.agent.Failed(f"{self.template}: {why}") from why
        config.chmod(0o600)  # one that others may write is refused by some
        return [self.program, *(filled(argument, values) for argument in shlex.split(self.arguments))]


# --- one run ----------------------------------------------------------------------------------------


def wait_for_lines(o, contender, process, sink, tally):
    """Until all have come; seconds until the last one did, and why it was not waited for longer."""
    begin = last = time.monotonic()
    while True:
        came = tally.came
        over = process.ended()  # before the look, which then sees all that it left
        sink.collect(tally)
        now = time.monotonic()
        if tally.came > came:
            last = now
        if not tally.missing:
            return last - begin, ""
        if over:
            process.finish(0)
            raise bench.agent.Failed(f"{contender.name} ended by itself, exit code {process.code}, when {tally.came} "
                                     f"of {len(tally.times)} lines had come. Its last words:\n{process.last_words()}")
        if tally.came and now - last > o.quiet:  # the first one may take as long as it takes
            return last - begin, "nothing came any more"
        if now - begin > o.limit:
            return last - begin, "the time was over"
        time.sleep(POLL)


def run(o, work, contender):
    """Its figures, and the notes that belong to them."""
    with work.box() as box, contextlib.ExitStack() as opened:
        device = opened.enter_context(work.device(box)) if o.device else None
        sink = SINKS[o.sink](box)
        opened.callback(sink.close)
        os.link(work.log, box.logs / "app.log")
        values = {"log": box.logs / "app.log", "data": box.data, "out": box.out, "root": box.root,
                  "compression": o.compression or sink.compression, "age": o.age or sink.age, **NAMES, **sink.values}
        command = contender.command(box, {o.sink, o.variant}, values)
        before = device and device()
        tally = Tally(work.lines)
        process = ProcessGroup(command, box.root / "output", {**os.environ, **KEYS})
        opened.callback(process.finish, 0)
        wall, note = wait_for_lines(o, contender, process, sink, tally)
        process.finish()
        sink.collect(tally)
        return figures(process, wall, device and device() - before), tally, notes(process, tally, note)


def figures(process, wall, device):
    row = {"CPU s": process.cpu, "anonymous MB, peak": process.peak * 1024 / bench.MB,
           "MB written to disks (write_bytes)": process.written / bench.MB,
           "s until the last line came": wall}
    return row if device is None else {**row, "MB written to the data's device": device / bench.MB}


def notes(process, tally, note):
    told = [note] if note else []
    if tally.missing:
        told.append(f"the first missing: {', '.join(map(str, tally.first_missing()))}")
    if tally.unknown:
        told.append(f"{tally.unknown} lines that nobody wrote")
    if process.killed:
        told.append("SIGTERM did not end it")
    return "; ".join(told)


# --- all of them ------------------------------------------------------------------------------------


def contenders(o):
    peer = Contender(o.peer.name, Path(shutil.which(o.peer)).absolute(), o.config, o.arguments)
    ours = Contender("edgehose", o.agent.absolute(), o.agent_config)
    if peer.name == ours.name:
        peer.name += ", the other"
    return {one.name: one for one in (ours, peer)}


def measure(o, work, both, say=bench.say):
    tallies = {name: [] for name in both}

    def one(name):
        row, tally, note = run(o, work, both[name])
        tallies[name].append(tally)
        say(f"{name}: CPU {row['CPU s']:.2f} s, {tally.came} of {work.lines} lines" + (f" ({note})" if note else ""))
        return row
    return pairs.in_turn(o.pairs, list(both), one), tallies


def report(o, work, measured, tallies):
    names = list(tallies)
    print(f"{work.bytes / bench.MB:.0f} MB of log, {work.lines} lines, to {o.sink}, {o.variant}; {o.pairs} pairs in "
          f"turn; load {os.getloadavg()[0]:.1f} at the end; a ratio is {names[0]} by {names[1]}\n")
    pairs.table(names, measured)
    for what in ("missing", "doubled"):
        worst = [max(getattr(tally, what) for tally in tallies[name]) for name in names]
        print(f"| lines {what}, the most in a run | {worst[0]} | {worst[1]} | |")


def skipped(o):
    if not o.peer or not o.config:
        return "no other agent: say its program with --peer, its config with --config"
    if not shutil.which(o.peer):
        return f"no other agent: {o.peer} is no program"
    return None


def main(arguments=None):
    o = options(arguments)
    if why := skipped(o):
        print(f"OK (skipped: {why})")
        return
    o.device = os.geteuid() == 0 and not o.no_device
    bench.agent.TOOLS = o.tools.resolve() / "support"
    work = bench.Bench(SimpleNamespace(directory=o.directory, bytes=o.mb * bench.MB))
    try:
        both = contenders(o)
        work.generate()
        report(o, work, *measure(o, work, both))
    except bench.agent.Failed as failure:
        sys.exit(f"FAILED: {failure}")
    finally:
        shutil.rmtree(work.work, ignore_errors=True)


if __name__ == "__main__":
    main()
