"""The power is cut under load, many times in a row, on one disk.

A life: the machine boots from the disk with a log of its writes, the agent carries on, lines are written,
and at a random moment, while it boots too, qemu is killed. Then the disk is made what it may hold after a
power cut (write_log.py): at a random point of the log, what was flushed before it and a random part of the
rest. The next life boots from that.

The servers on the host are not turned back, so the point is never before the last request that they took:
a request tells that what was flushed before it was sent. What the agent sent twice, they have to see."""
import time
from collections import Counter
from pathlib import Path

import write_log
from gateway import LOGS, Failed, told, wait
from machine import Growth, NotReady

LOAD_SECONDS = (3, 12)
BOOT_SECONDS = (2, 15)
SHARE_AT_BOOT = 0.2
SHARE_ROTATED = 0.5
SHARE_AT_THE_END = 0.3  # cut where qemu was killed; else earlier, after the last request


def power_cuts(run):
    """The power is cut under load; the disk holds what was flushed, and a random part of the rest."""
    gateway = run.boot()
    gateway.machine.power_off()
    styles, facts, number = Counter(), Counter(), 0
    while number < run.options.cuts and time.monotonic() < run.deadline:
        number += 1
        try:
            cut = life(run, gateway, number)
        except NotReady as failure:
            raise Failed(f"after {number - 1} cuts the machine did not boot: {gateway.machine.last_words()}") from failure
        styles[cut.style] += 1
        facts.update(durable=cut.durable, pending=cut.pending, kept=cut.bytes_kept, bytes=cut.bytes_pending)
        print(f"cut {number}: {cut.style}, {cut.durable} writes durable, of {cut.pending} more "
              f"({cut.bytes_pending >> 10} KiB) {cut.bytes_kept >> 10} KiB kept", flush=True)
    last_life(run, gateway)
    kinds = ", ".join(f"{style} {times}" for style, times in sorted(styles.items()))
    return (f"{number} cuts ({kinds}; {facts['durable']} writes durable, {facts['pending']} not, "
            f"{facts['kept'] >> 10} of their {facts['bytes'] >> 10} KiB kept), seed {run.options.seed}: "
            f"{told(gateway.count(beyond=True))}")


def life(run, gateway, number):
    log = Path(gateway.folder) / "writes.log"
    log.unlink(missing_ok=True)
    machine = gateway.new_machine(write_log=log)
    log.touch()
    growth = Growth(log)
    if number > 1 and run.rng.random() < SHARE_AT_BOOT:
        machine.boot_only()
        wait(run.rng.uniform(*BOOT_SECONDS))
    else:
        machine.start()
        load(run, gateway, number)
    machine.kill()
    wait(0.5)  # a request that had come whole is taken
    growth.stop()
    entries = write_log.read_entries(log)
    return write_log.replay(log, entries[:point(run, gateway, entries, growth)], gateway.disk, run.rng,
                            run.options.ignore_flushes)


def load(run, gateway, number):
    """Lines are written, and the log is rotated by renaming it. No rotation is ever deleted."""
    gateway.write(run.rate)
    seconds = run.rng.uniform(*LOAD_SECONDS)
    rotated = run.rng.random() < SHARE_ROTATED
    wait(seconds / 2)
    if rotated:
        gateway.machine.run(f"mv {LOGS}/app.log {LOGS}/app.log.{number} && systemctl kill --signal=HUP app")
    wait(seconds / 2)


def point(run, gateway, entries, growth):
    """How many entries of the log the cut lets be: a random number, of those that may be."""
    requests = [entry["time"] for server in (gateway.bucket, gateway.index) for entry in server.log()]
    first = growth.length_after(max(requests, default=0.0)) if requests else 0
    if run.rng.random() < SHARE_AT_THE_END or first is None:
        return len(entries)
    possible, weights, pending = [], [], 0
    for i in range(len(entries) + 1):
        if i:
            pending = 0 if entries[i - 1].is_flush else pending + 1
        if (entries[i - 1].end if i else 0) >= first:
            possible.append(i)
            weights.append(1 + pending)  # most of the log is flushed soon: rather where much is not
    return run.rng.choices(possible, weights)[0] if possible else len(entries)


def last_life(run, gateway):
    """Nothing is cut any more: all is delivered, and the buffer is sound."""
    machine = gateway.new_machine()
    machine.start()
    gateway.write(run.rate)
    wait(5)
    gateway.settle()
    machine.run("systemctl stop edgehose; edgehose buffer verify")
    shorter = machine.run("journalctl -u edgehose --no-pager -o cat | grep -c 'shorter than what was read' || true")
    if shorter.strip() != "0":
        raise Failed(f"{shorter.strip()} times a log was shorter than its position: it was not synced before its commit")
