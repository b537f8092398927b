"""The power is cut under load, many times in a row, on one disk.

A life: the machine boots from the disk with a log of its writes, the agent carries on, lines are written,
and at a random moment, while it boots too, qemu is killed. Then the disk is made what it may hold after a
power cut (write_log.py): at a random point of the log, what was flushed before it and a random part of the
rest. The next life boots from that.

The servers on the host are not turned back, so the point is never before the last request that they took:
a request tells that what was flushed before it was sent. What the agent sent twice, they have to see. So that
there is a stretch to cut in, the link is mostly gone for the last seconds, as it is where the power goes in a
whole building.

Before the next life, the same log is cut at many other points (replays.py)."""
import time
from pathlib import Path

import write_log
from gateway import LOGS, Failed, told, wait
from machine import Growth, NotReady
from replays import replays

LOAD_SECONDS = (3, 12)
ALONE_SECONDS = (1, 6)
SHARE_AT_BOOT = 0.2
SHARE_ROTATED = 0.5
SHARE_ALONE = 0.8
SHARE_AT_THE_END = 0.3  # cut where qemu was killed; else earlier, after the last request
COMMIT_INTERVAL = "200ms"  # the more commits a log has, the more of them a cut may hit
# A neighbour makes and replaces files and flushes nothing, and the kernel writes that back soon, as it does after 30 s
# by itself: so there are writes under way between two flushes of the agent's.
NEIGHBOUR = ("echo 20 >/proc/sys/vm/dirty_writeback_centisecs; echo 40 >/proc/sys/vm/dirty_expire_centisecs; "
             "setsid bash -c 'while :; do for i in 1 2 3 4; do printf %100000s >/var/tmp/new$i; done; "
             "mv /var/tmp/new1 /var/tmp/old; sleep 0.1; done' >/dev/null 2>&1 &")


def power_cuts(run):
    """The power is cut under load; the disk holds what was flushed, and a random part of the rest."""
    begin = time.monotonic()
    gateway = run.boot(commit_interval=COMMIT_INTERVAL)
    boot_seconds = time.monotonic() - begin
    gateway.machine.power_off()
    cuts, others = write_log.Tally(), write_log.Tally()
    while cuts.number < run.options.cuts and time.monotonic() < run.deadline:
        try:
            life(run, gateway, cuts, others, boot_seconds)
        except NotReady as failure:
            raise Failed(f"after {cuts.number} cuts the machine did not boot: "
                         f"{gateway.machine.last_words()}") from failure
    if run.options.cuts and (cuts.number == 0 or (run.options.replays and others.number == 0)):
        raise Failed(f"the time was over after {cuts.number} cuts and {others.number} replays: nothing was tested")
    last_life(run, gateway)
    return f"cuts: {cuts}; replays: {others}; seed {run.options.seed}: {told(gateway.count(beyond=True))}"


def life(run, gateway, cuts, others, boot_seconds):
    """One more of `cuts`, and of `others` those of the replays."""
    log = Path(gateway.folder) / "writes.log"
    log.unlink(missing_ok=True)
    machine = gateway.new_machine(write_log=log)
    log.touch()
    growth = Growth(log)
    if cuts.number and run.rng.random() < SHARE_AT_BOOT:
        machine.boot_only()
        wait(run.rng.uniform(0.1, 1.2) * boot_seconds)
    else:
        machine.start()
        load(run, gateway, cuts.number + 1)
    machine.kill()
    wait(0.5)  # a request that had come whole is taken
    growth.stop()
    entries = write_log.read_entries(log)
    for cut in replays(run, gateway, log, entries, growth):
        others.add(cut)
    cut = write_log.replay(log, entries[:point(run, gateway, entries, growth)], gateway.disk, run.rng,
                           run.options.ignore_flushes)
    cuts.add(cut)
    print(f"cut {cuts.number}: {cut}; replays so far: {others}", flush=True)


def load(run, gateway, number):
    """Lines are written, and the log is rotated by renaming it. No rotation is ever deleted."""
    gateway.machine.run(NEIGHBOUR)
    gateway.write(run.rate)
    seconds = run.rng.uniform(*LOAD_SECONDS)
    rotated = run.rng.random() < SHARE_ROTATED
    wait(seconds / 2)
    if rotated:
        gateway.machine.run(f"mv {LOGS}/app.log {LOGS}/app.log.{number} && systemctl kill --signal=HUP app")
    wait(seconds / 2)
    if run.rng.random() < SHARE_ALONE:
        gateway.machine.set_link(False)
        wait(run.rng.uniform(*ALONE_SECONDS))


def point(run, gateway, entries, growth):
    """How many entries of the log the cut lets be: a random number, of those that may be."""
    requests = [entry["time"] for server in (gateway.bucket, gateway.index) for entry in server.log()]
    first = growth.length_after(max(requests, default=0.0)) if requests else 0
    if run.rng.random() < SHARE_AT_THE_END or first is None:
        return len(entries)
    ends = [0] + [entry.end for entry in entries]
    possible = [i for i, end in enumerate(ends) if end >= first]
    # Most of the log is flushed soon: rather where much is not.
    weights = write_log.under_way(entries)
    return run.rng.choices(possible, [1 + weights[i] for i in possible])[0] if possible else len(entries)


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
        raise Failed(f"{shorter.strip()} times a log was shorter than its position: it was not synced before its "
                     "commit")
