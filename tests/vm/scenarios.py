#!/usr/bin/env python3
"""scenarios: edgehose on a booted Debian 12, from a clean reboot to power cuts under load.

Each scenario has a machine and servers of its own, ends with the machine turned off, and counts: every line
that a file of the machine holds must have arrived once at the bucket, the index and the directory. With
--deb the machine has the package, with --archive the static build; without either the binary and the unit lie
where the README puts them.

    bash tests/vm/run.sh --deb edgehose_1.2_amd64.deb
    bash tests/vm/run.sh --only power_cuts --cuts 100 --seed 7
"""
import argparse
import random
import shlex
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import image
import power_cuts
from drop_in import drop_in
from gateway import CONFIG, LOGS, Failed, Gateway, told, wait, wait_until
from machine import accelerators
from debian import MACHINES
from install import CannotInstall
from systems import SYSTEMS

INSTALL = "/opt/vm/edgehose-*/install.sh"  # of the static build's archive
UPGRADE = "dpkg --force-confold -i /opt/vm/upgrade.deb"  # the same package under a higher version
RATES = {"kvm": 1000, "tcg": 200}  # lines a second: an emulated machine has less to do it with


class Run:
    """What a scenario is given: a folder of its own, the options, random numbers, and a clock."""

    def __init__(self, options, folder, made, deadline):
        self.options, self.folder, self.image, self.deadline = options, folder, made, deadline
        self.rng = random.Random(options.seed)
        self.rate, self.gateway = None, None

    def boot(self, *words, link=True, **options):
        """A new gateway that has edgehose, and does not log yet."""
        self.gateway = Gateway(self.image, self.folder, **options)
        self.gateway.machine.start(*words, link=link)
        self.gateway.expect_page_size()
        self.rate = RATES[accelerators[self.options.arch]]
        self.gateway.start_agent()
        return self.gateway

    def under_load(self, seconds=5):
        """The same, and a program has been logging for so long."""
        self.boot()
        self.gateway.write(self.rate)
        wait(seconds)
        return self.gateway


def reboot(run):
    """Delivers to all, is rebooted under load, and goes on."""
    gateway = run.under_load(10)
    gateway.expect_active()
    gateway.machine.reboot()
    gateway.write(run.rate)
    wait(10)
    gateway.settle()
    print(gateway.machine.run(
        "systemctl --version | head -n 1; "
        "journalctl -b --no-pager -o cat | grep 'edgehose.service:[0-9]' | head -n 20; "
        "systemctl show edgehose -p ActiveState,SubState,Result,NRestarts,MemoryCurrent,StatusText; "
        "systemd-analyze security edgehose --no-pager | tail -1; systemd-analyze time --no-pager | head -1; "
        "journalctl -u edgehose -b --no-pager -o cat -n 12"))
    return told(gateway.count())


def service(run):
    """Under load: a config with an error is refused by a reload and the one before it runs on, a good one is taken by
    the same process; killed, and standing still, it is started again."""
    gateway = run.under_load()
    machine = gateway.machine
    pid = gateway.unit()["MainPID"]
    machine.run(f"cp {CONFIG} /run/good.toml && sed -i 's/^commit_interval/comit_interval/' {CONFIG}")
    if machine.answer("systemctl reload edgehose")[0] == 0 or gateway.unit()["MainPID"] != pid:
        raise Failed("a config with an error was taken")
    gateway.expect_active()
    for policy in ("drop_oldest", "block"):
        machine.run(f"sed '/^commit_interval/a when_full = \"{policy}\"' /run/good.toml > {CONFIG} && "
                    "systemctl reload edgehose")
        wait_until(lambda: gateway.status()["buffer"]["when_full"] == policy, 60, "the new config is in use", 1)
    if gateway.unit()["MainPID"] != pid:
        raise Failed("a reload has become another process")
    restarted(gateway, 1, "kill -KILL {pid}", 60)
    restarted(gateway, 2, "kill -STOP {pid}", 300)  # the watchdog's minute, and as long to be sure that it is down
    gateway.settle(restarts=2)
    return f"reloaded twice, refused once, restarted twice; {told(gateway.count())}"


def restarted(gateway, restarts, command, seconds):
    """Runs `command` on the agent's process; systemd starts another."""
    pid = gateway.unit()["MainPID"]
    gateway.machine.run(command.format(pid=pid))

    def another():
        unit = gateway.unit()
        return unit["ActiveState"] == "active" and unit["NRestarts"] == str(restarts) and unit["MainPID"] != pid
    wait_until(another, seconds, f"systemd has started another after {command.split()[1]}", 1)


def no_network(run):
    """Boots without a link, buffers for minutes, and delivers once there is one."""
    gateway = run.boot(link=False)
    gateway.write(run.rate / 4)
    wait(run.options.minutes * 60)
    gateway.expect_active()
    held_back = gateway.sink("cloud")["backlog"]["records"]
    if not held_back or gateway.bucket.log("PUT"):
        raise Failed(f"without a link {held_back} records wait, {len(gateway.bucket.log('PUT'))} objects came")
    if gateway.sink("archive")["delivered"]["records"] == 0:
        raise Failed("the directory was not delivered to while there was no link")
    gateway.machine.set_link(True)
    gateway.settle()
    return f"{held_back} records waited {run.options.minutes} min for a link; {told(gateway.count())}"


def clock(run):
    """It is 1970 until somebody sets the clock; the bucket's certificate is not valid until then."""
    gateway = run.boot("vm.epoch", tls=True)
    gateway.write(run.rate / 4)
    cloud = wait_until(lambda: refused(gateway.sink("cloud")), 300, "records wait for the bucket, which was refused", 1)
    year = gateway.machine.run("date +%Y").strip()
    if year != "1970":
        raise Failed(f"the machine's clock is in {year}, not in 1970")
    if gateway.bucket.log("PUT"):
        raise Failed("the bucket's certificate was taken in 1970")
    gateway.expect_active()
    gateway.machine.run(f"date --set=@{int(time.time())}")
    wait(5)
    gateway.settle()
    return (f"in 1970 {cloud['backlog']['records']} records waited ({cloud['last_error'][:100]}); "
            f"{told(gateway.count())}")


def refused(sink):
    """The sink's status, where records wait because of its server's certificate."""
    return sink["backlog"]["records"] > 0 and "certificate" in sink["last_error"] and sink


def disk_full(run):
    """Others fill the file system, and make room again."""
    gateway = run.under_load()
    # All that is left to others than root, who logs on in what is reserved.
    gateway.machine.run("fallocate -l $(df --output=avail -B1 / | tail -1) /var/fill; "
                        "[ $(df --output=avail -B1 / | tail -1) -lt 1000000 ]")
    reasons = gateway.told_and_mended("^sink archive: .*No space left", "^the buffer's disk ", "rm /var/fill")
    wait(5)
    gateway.settle()
    return f"told while full: {shortened(reasons)}; {told(gateway.count())}"


def shortened(reasons):
    return "; ".join(f'"{reason[:80]}"' for reason in reasons)


def read_only(run):
    """The kernel remounts the file system read-only under load, as after an error, and somebody puts it right."""
    gateway = run.under_load()
    gateway.machine.run("echo u > /proc/sysrq-trigger")
    wait_until(lambda: gateway.machine.answer("touch /var/tmp/probe")[0] != 0, 30, "the file system is read-only", 0.5)
    reasons = gateway.told_and_mended("^sink archive .*Read-only file system", "^intake: .*Read-only file system",
                                      "mount -o remount,rw /")
    wait(5)
    gateway.settle()
    return f"told while read-only: {shortened(reasons)}; {told(gateway.count())}"


def logrotate(run):
    """Debian's logrotate rotates while lines are written: rename and create, then compress."""
    gateway = run.boot()
    rotate_while_writing(run, gateway, "create")
    return told(gateway.count())


def logrotate_copytruncate(run):
    """The same with copytruncate. What is written between copy and truncation is in no file any more, and was
    read or not: such lines may arrive once or never."""
    gateway = run.boot()
    written = rotate_while_writing(run, gateway, "copytruncate")
    counts = gateway.count(beyond=True)
    held = next(iter(counts.values())).held
    return f"of {written} lines {written - held} fell into the window; {told(counts)}"


def rotate_while_writing(run, gateway, kind):
    gateway.machine.run(f"install -m 644 /opt/vm/logrotate-{kind} /etc/logrotate.d/app")
    gateway.write(run.rate)
    for _ in range(6):
        wait(run.rng.uniform(2, 5))
        gateway.machine.run("logrotate --force /etc/logrotate.conf")
    wait(2)
    gateway.stop_writing()
    files = gateway.machine.run(f"ls {LOGS}").split()
    if sorted(files) != sorted(["app.log", "app.log.1", *(f"app.log.{i}.gz" for i in range(2, 7))]):
        raise Failed(f"logrotate left other files than its config says: {files}")
    gateway.settle()
    return gateway.written()


def package(run):
    """Upgrade while it runs, remove, install again and purge, as Debian's users expect it."""
    gateway = run.under_load()
    machine = gateway.machine
    before = machine.run("dpkg-query -W -f '${Version}' edgehose")
    pid, begin = gateway.unit()["MainPID"], time.monotonic()
    machine.run(UPGRADE)
    seconds = time.monotonic() - begin
    after = machine.run("dpkg-query -W -f '${Version}' edgehose")
    unit = gateway.unit()
    if before == after or unit["ActiveState"] != "active" or unit["MainPID"] == pid:
        raise Failed(f"after the upgrade from {before} to {after} the unit is {unit}, its process was {pid}")
    gateway.expect_active()
    wait(5)
    gateway.settle()
    machine.run("dpkg --remove edgehose")
    if machine.answer("systemctl is-active edgehose")[0] == 0:
        raise Failed("the service runs on after the package was removed")
    machine.run("test -e /var/lib/edgehose/buffer.mdb && test -e /etc/edgehose/edgehose.toml")
    machine.run(f"{UPGRADE} && systemctl restart edgehose")
    gateway.write(run.rate)
    wait(5)
    gateway.settle()
    machine.run("dpkg --purge edgehose")
    machine.run("test ! -e /var/lib/edgehose && test ! -e /etc/edgehose/edgehose.toml")
    return (f"{before} was upgraded to {after} under load in {seconds:.0f} s, removed (buffer kept), installed again, "
            f"purged (buffer gone); {told(gateway.count())}")


def archive(run):
    """The static build: installed once more while it runs, taken away, installed again and purged."""
    gateway = run.under_load()
    machine = gateway.machine
    pid = gateway.unit()["MainPID"]
    machine.run(f"{INSTALL} && systemctl restart edgehose")
    if gateway.unit()["MainPID"] == pid:
        raise Failed(f"the process {pid} is the one from before the installation")
    wait(5)
    gateway.settle()
    machine.run(f"{INSTALL} --uninstall")
    if machine.answer("systemctl is-active edgehose")[0] == 0:
        raise Failed("the service runs on after it was taken away")
    machine.run("test ! -e /usr/bin/edgehose && test -e /var/lib/edgehose/buffer.mdb && "
                "test -e /etc/edgehose/edgehose.toml")
    machine.run(f"{INSTALL} && systemctl restart edgehose")
    gateway.write(run.rate)
    wait(5)
    gateway.settle()
    machine.run(f"{INSTALL} --purge")
    machine.run("test ! -e /var/lib/edgehose && test ! -e /etc/edgehose")
    return f"installed anew under load, taken away (buffer kept), installed again, purged; {told(gateway.count())}"


SCENARIOS = {scenario.__name__: scenario for scenario in (
    reboot, service, power_cuts.power_cuts, no_network, clock, disk_full, read_only, drop_in, logrotate,
    logrotate_copytruncate, package, archive)}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--arch", choices=MACHINES, default="amd64")
    p.add_argument("--system", choices=SYSTEMS, default="debian-12", help="what boots (%(default)s)")
    p.add_argument("--deb", type=Path, help="the package to install; of Debian 12 alone")
    p.add_argument("--archive", type=Path, help="the static build's tar.gz to install")
    p.add_argument("--binary", type=Path, default=image.ROOT / "build-tests/agent/edgehose",
                   help="without --deb and --archive: the agent, built for Debian 12 (%(default)s)")
    p.add_argument("--cuts", type=int, default=20, help="how often the power is cut")
    p.add_argument("--replays", type=int, default=25, help="at how many more points each cut's log of writes is cut")
    p.add_argument("--ignore-flushes", action="store_true",
                   help="the disk of power_cuts lies about flushes: a test of the test, which has to fail then")
    p.add_argument("--emulate", action="store_true", help="KVM is not tried")
    p.add_argument("--minutes", type=float, default=3, help="how long there is no network")
    p.add_argument("--budget", type=float, default=60, help="minutes, after which nothing new is begun")
    p.add_argument("--only", choices=SCENARIOS, action="append", help="this one; several are run in that order")
    p.add_argument("--seed", type=int, default=0, help="0: draw one")
    p.add_argument("--folder", type=Path, help="where machines live; a temporary one")
    p.add_argument("--keep", action="store_true", help="keep it; a failed scenario's is kept anyway")
    options = p.parse_args()
    options.seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    options.installed = options.deb or options.archive or options.binary
    if not options.installed.exists():
        p.error(f"{options.installed} is not there: build it, or name another one with --deb, --archive or --binary")
    if options.deb and options.archive:
        p.error("--deb or --archive: one of them is installed")
    refusal = SYSTEMS[options.system].refusal(options.arch, options.archive)
    if refusal:
        p.error(f"{options.system}: {refusal}")
    return options


def repeated(name, seed):
    """The options of the command line, for this scenario and this seed alone."""
    words, others = iter(sys.argv[1:]), []
    for word in words:
        option, equals, _ = word.partition("=")
        if option not in ("--only", "--seed"):
            others.append(word)
        elif not equals:
            next(words)
    return shlex.join([*others, "--only", name, "--seed", str(seed)])


def one(options, name, scenario, folder, made, deadline):
    """Whether it passed; None where it was not run."""
    if (name == "package" and not options.deb) or (name == "archive" and not options.archive):
        print(f"{name}: not run, that is not what was installed", flush=True)
        return None
    if time.monotonic() > deadline:
        print(f"{name}: not run, the budget of {options.budget:g} min is spent", flush=True)
        return None
    begin, here = time.monotonic(), folder / name
    here.mkdir()
    run = Run(options, here, made, deadline)
    try:
        result = scenario(run)
        print(f"{name}: {result} ({time.monotonic() - begin:.0f} s)", flush=True)
        if not options.keep:
            shutil.rmtree(here)
        return True
    except Exception as failure:  # of the test itself too: the other scenarios are still run
        if not isinstance(failure, Failed):
            traceback.print_exc()
        if run.gateway:
            run.gateway.keep_journal()
        print(f"{name}: FAILED: {failure}\nkept for a look: {here}\n"
              f"again: bash tests/vm/run.sh {repeated(name, options.seed)}", flush=True)
        return False
    finally:
        if run.gateway:
            run.gateway.close()


def main():
    options = arguments()
    deadline = time.monotonic() + options.budget * 60
    if options.emulate:
        accelerators[options.arch] = "tcg"
    folder = Path(tempfile.mkdtemp(prefix="edgehose-vm-", dir=options.folder))
    print(f"seed {options.seed}, {options.system}, {options.arch}, {options.installed}", flush=True)
    try:
        made = image.make(folder / "image", options.system, options.arch, options.deb, options.archive,
                          options.binary)
    except (Failed, CannotInstall) as failure:
        sys.exit(f"no image: {failure}")
    passed = [one(options, name, SCENARIOS[name], folder, made, deadline) for name in options.only or SCENARIOS]
    print(f"{passed.count(True)} scenarios passed, {passed.count(False)} failed, {passed.count(None)} not run")
    if not options.keep:
        shutil.rmtree(folder / "image")
        if False not in passed:
            folder.rmdir()
    sys.exit(1 if False in passed else 0)


if __name__ == "__main__":
    main()
