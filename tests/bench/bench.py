#!/usr/bin/env python3
"""bench: what the agent costs, beside what the machine could do with the same bytes.

Prints Markdown. Every figure is of this run: CPU seconds are user + system of the whole process, from
the kernel's account; memory is the peak of RssAnon and RssFile, sampled every 5 ms; device bytes are
sectors written to a loop device that holds only the buffer, journal and metadata included, after a
sync. The log lies on the disk, in the page cache, fully written before a bulk run starts.
"""
import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import agent  # noqa: E402
import bench_events  # noqa: E402
import bench_s3  # noqa: E402

MB, GB, MIB = 1e6, 1e9, 1 << 20


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="128 MB, one run each, three minutes of ten lines a second")
    p.add_argument("--agent", type=Path, required=True)
    p.add_argument("--tools", type=Path, required=True, help="the build's tests/ folder")
    p.add_argument("--directory", default="/var/tmp", help="where to work: a disk")
    p.add_argument("--only", default="bulk,memory,s3,search,device,trickle,idle,size",
                   help="parts, with commas: %(default)s, splunk")
    p.add_argument("--runs", type=int, help="bulk runs of each kind, the median counts (3; quick: 1)")
    o = p.parse_args()
    o.agent, o.tools = o.agent.resolve(), o.tools.resolve()
    o.bytes = 128e6 if o.quick else 1e9
    o.runs = o.runs or (1 if o.quick else 3)
    o.only = set(o.only.split(","))
    agent.AGENT, agent.TOOLS = str(o.agent), o.tools / "support"
    return o


def say(text):
    print(text, file=sys.stderr, flush=True)


class Table:
    def __init__(self, title, *columns):
        print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)

    def row(self, *cells):
        print(f"| {' | '.join(str(c) for c in cells)} |", flush=True)


def verdict(value, aim):
    return f"{aim:g}: {'ok' if value <= aim else 'missed'}"


class Sampler(threading.Thread):
    """The peaks of a process' resident memory, kB."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.anon, self.file, self.done = pid, 0, 0, threading.Event()
        self.start()

    def run(self):
        while not self.done.is_set():
            try:
                text = Path(f"/proc/{self.pid}/status").read_text()
                self.anon = max(self.anon, int(re.search(r"RssAnon:\s+(\d+)", text)[1]))
                self.file = max(self.file, int(re.search(r"RssFile:\s+(\d+)", text)[1]))
            except (OSError, TypeError):
                return
            self.done.wait(0.005)


def now_memory(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return [int(re.search(rf"{n}:\s+(\d+)", text)[1]) for n in ("RssAnon", "RssFile")]


class Bench:
    sampler = Sampler

    def __init__(self, o):
        self.o = o
        self.work = Path(tempfile.mkdtemp(prefix="edgehose-bench-", dir=o.directory))
        self.log = self.work / "bulk.log"
        self.limits = None

    def generate(self):
        say(f"a log of {self.o.bytes / MB:.0f} MB ...")
        self.lines = int(self.o.bytes / 148.2)
        subprocess.run([agent.TOOLS / "gateway_log", "--output", self.log, "--lines", str(self.lines), "--write", "page"],
                       check=True, capture_output=True)
        os.sync()
        self.bytes = self.log.stat().st_size

    def box(self, **kwargs):
        box = agent.Sandbox(parent=self.work)
        box.logs.rmdir()
        box.logs.mkdir()
        return box

    def configure(self, box, variant=None, storage="ssd", batch=None, keys=False, commit=None):
        sink = {"batch": batch or {"max_size": "8MiB", "max_age": "5m"}, "retry": None, **(variant or {})}
        box.config(buffer={"storage": storage, "commit_interval": commit, "max_size": "512MiB",
                           **({"encryption_keys": [box.buffer_key()]} if keys else {})},
                   source={"poll_interval": None}, sink=sink)

    def once(self, box):
        """run --once: CPU seconds, wall seconds, peak anonymous and file-backed kB."""
        begin = time.monotonic()
        p = box.start("--once", "--timeout", "600s")
        sampler = Sampler(p.pid)
        _, code, usage = os.wait4(p.pid, 0)
        wall = time.monotonic() - begin
        p.popen.returncode = os.waitstatus_to_exitcode(code)
        sampler.done.set()
        if code != 0:
            raise agent.Failed(f"run --once failed:\n{p.output()}")
        return usage.ru_utime + usage.ru_stime, wall, sampler.anon, sampler.file

    # --- CPU and speed ---------------------------------------------------------------------------

    def measure_limits(self):
        say("the machine's limits ...")
        out = subprocess.run([self.o.tools / "bench/bench_limits", self.log, self.work / "limit"], check=True,
                             capture_output=True, text=True).stdout
        self.limits = json.loads(out)

    def bulk(self):
        gb = self.bytes / GB
        table = Table(f"Tail to directory, {self.bytes / MB:.0f} MB of log, `run --once`",
                      "what", "CPU s/GB", "MB/s", "ratio", "CPU / zstd -1 stream", "CPU / zstd -1 frames", "aim")
        for name, text in (("zstd_stream", "limit: zstd -1, one stream, one thread"),
                           ("zstd_frames", "limit: zstd -1, frames of 256 KiB"),
                           ("write", "limit: write + fdatasync of those frames")):
            c = self.limits[name]
            table.row(text, f"{c['cpu'] / gb:.2f}", f"{self.bytes / MB / c['wall']:.0f}",
                      f"{self.bytes / c['bytes']:.2f}", "", "", "")
        variants = (("zstd, passed through", {}, False, 1.5), ("gzip", {"compression": "gzip"}, False, None),
                    ("none", {"compression": "none"}, False, None),
                    ("ndjson, zstd", {"format": "ndjson"}, False, None),
                    ("zstd, objects encrypted (age)", {"encrypt": True}, False, None),
                    ("zstd, buffer encrypted", {}, True, None))
        self.peaks = {}
        for name, variant, keys, aim in variants:
            results = []
            for _ in range(self.o.runs):
                say(f"{name} ...")
                with self.box() as box:
                    if "encrypt" in variant:
                        variant = {**variant, "encrypt": {"age": [box.age_recipient()]}}
                    self.configure(box, variant, keys=keys)
                    os.link(self.log, box.logs / "app.log")
                    result = self.once(box)
                    stored = sum(o.stat().st_size for o in box.objects())
                    results.append((*result, stored))
            cpu, wall, anon, file, stored = (statistics.median(r[i] for r in results) for i in range(5))
            self.peaks[name] = (max(r[2] for r in results), max(r[3] for r in results))
            against = [cpu / self.limits[k]["cpu"] for k in ("zstd_stream", "zstd_frames")]
            table.row(name, f"{cpu / gb:.2f}", f"{self.bytes / MB / wall:.0f}", f"{self.bytes / stored:.2f}",
                      f"{against[0]:.2f}", f"{against[1]:.2f}", verdict(against[0], aim) if aim else "")

    def memory(self):
        table = Table("Resident memory at full speed, peak", "what", "anonymous MB", "file-backed MB", "aim")
        for name, (anon, file) in self.peaks.items():
            table.row(name, f"{anon * 1024 / MB:.1f}", f"{file * 1024 / MB:.1f}", verdict(anon * 1024 / MB, 12))

    # --- the device ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def device(self, box, mount="noatime"):
        """The buffer's directory on a loop device of its own; gives a function: bytes written to it."""
        image = box.root / "device.img"
        with open(image, "wb") as f:
            f.truncate(2 << 30)
        subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
        loop = subprocess.run(["losetup", "-f", "--show", image], check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["mount", "-o", mount, loop, box.data], check=True)
        stat = Path("/sys/block") / Path(loop).name / "stat"

        def written():
            subprocess.run(["sync", "-f", box.data], check=True)
            return int(stat.read_text().split()[6]) * 512
        try:
            yield written
        finally:
            subprocess.run(["umount", "-l", box.data], check=False)
            subprocess.run(["losetup", "-d", loop], check=False)

    def can_mount(self):
        if os.geteuid() == 0:
            return True
        print("\n(Bytes written to the device: not measured, that needs root.)")
        return False

    def device_bulk(self):
        table = Table("Bytes written to the buffer's device, bulk", "what", "device MB", "raw MB", "per raw byte", "aim")
        for storage in ("ssd", "sd_card"):
            say(f"device bytes in bulk, {storage} ...")
            with self.box() as box, self.device(box) as written:
                self.configure(box, storage=storage)
                os.link(self.log, box.logs / "app.log")
                before = written()
                self.once(box)
                device = written() - before
                table.row(f"profile {storage}", f"{device / MB:.1f}", f"{self.bytes / MB:.0f}",
                          f"{device / self.bytes:.3f}", verdict(device / self.bytes, 0.18))

    def trickle_one(self, age, mount, warm, seconds, rows):
        with self.box() as box, self.device(box, mount) as written:
            self.configure(box, storage="sd_card", batch={"max_size": "8MiB", "max_age": age})
            p = box.start()
            writer = box.writer(lines=0, rate=10)
            log = box.logs / "app.log"
            time.sleep(warm)
            raw, device = log.stat().st_size, written()
            time.sleep(seconds)
            raw, device = log.stat().st_size - raw, written() - device
            p.stop()
            box.stop_writer(writer)
            rows[age, mount] = (f"{device / 1e3:.0f}", f"{raw / 1e3:.0f}", f"{device / raw:.2f}",
                                f"{seconds} s after {warm} s")

    def trickle(self):
        """In steady state: the file grows until two batches have passed; a copy every ten minutes counts."""
        long, short = ((330, 180), (60, 120)) if self.o.quick else ((660, 600), (60, 600))
        say(f"ten lines a second, {sum(long)} s ...")
        rows = {}
        mounts = ("noatime", "noatime,lazytime", "noatime,commit=300")
        jobs = [(age, mount, *times, rows) for age, times in (("5m", long), ("5s", short)) for mount in mounts]
        threads = [threading.Thread(target=self.trickle_one, args=job) for job in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        table = Table("Bytes written to the buffer's device, 10 lines/s, profile sd_card", "batch", "ext4 mounted with",
                      "device kB", "raw kB", "per raw byte", "measured over", "aim")
        for age, mount, *_ in jobs:
            row = rows.get((age, mount), ("failed", "", "nan", ""))
            table.row(age, mount, *row, verdict(float(row[2]), {"5m": 0.45, "5s": 2.5}[age]))

    # --- doing nothing ---------------------------------------------------------------------------

    @staticmethod
    def activity(pid):
        """Nanoseconds on a CPU and voluntary switches, of all threads so far."""
        ran = switches = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            ran += int((task / "schedstat").read_text().split()[0])
            switches += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)[1])
        return ran, switches

    def idle(self):
        self.idle_after(f"{self.bytes / MB:.0f} MB of work", 20 if self.o.quick else 60,
                        lambda logs: os.link(self.log, logs / "app.log"), memory_aim=8)
        # Two whole rests of so many files (agent/sources/README.md); quick: a part of one.
        self.idle_after("reading 10,000 files of a line each", 60 if self.o.quick else 400, self.many_files)

    @staticmethod
    def many_files(logs):
        for i in range(10_000):
            (logs / f"device-{i}.log").write_text(f"device {i} is there\n")

    def idle_after(self, work, seconds, fill, memory_aim=None):
        say(f"idle, {seconds + 30} s ...")
        with self.box() as box:
            self.configure(box, batch={"max_size": "8MiB", "max_age": "2s"})
            fill(box.logs)
            p = box.start()
            agent.wait_until(lambda: self.all_delivered(box), 300, "all delivered", 0.5)
            time.sleep(30)
            before = self.activity(p.pid)
            time.sleep(seconds)
            ran, switches = (b - a for a, b in zip(before, self.activity(p.pid)))
            anon, file = now_memory(p.pid)
            p.stop()
        table = Table(f"Idle, over {seconds} s, after {work}", "what", "measured", "aim")
        table.row("CPU, ms a second", f"{ran / 1e6 / seconds:.3f}", verdict(ran / 1e6 / seconds, 1))
        table.row("wake-ups a second (voluntary switches, all threads)", f"{switches / seconds:.2f}", verdict(switches / seconds, 1))
        anon *= 1024 / MB
        table.row("anonymous memory, MB", f"{anon:.1f}", verdict(anon, memory_aim) if memory_aim else "none: by files")
        table.row("file-backed memory, MB", f"{file * 1024 / MB:.1f}", "")

    def all_delivered(self, box):
        status = box.status()
        return status["sources"] and status["sources"][0]["behind_bytes"] == 0 and \
            status["sinks"][0]["backlog"]["records"] == 0 and status["sinks"][0]["delivered"]["records"] > 0

    def size(self):
        stripped = self.work / "stripped"
        subprocess.run(["strip", "-o", stripped, agent.AGENT], check=True)
        table = Table("The binary", "what", "MB", "aim")
        table.row("stripped", f"{stripped.stat().st_size / MB:.2f}", verdict(stripped.stat().st_size / MB, 3))

    def heading(self):
        cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        fs = subprocess.run(["stat", "-f", "-c", "%T", self.work], capture_output=True, text=True).stdout.strip()
        print(f"Machine: {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}; "
              f"log, buffer and objects on {fs} ({self.o.directory}), the log in the page cache. "
              f"{'Quick run' if self.o.quick else 'Full run'}, the median of {self.o.runs}; "
              f"load when it began: {os.getloadavg()[0]:.1f}.")

    def main(self):
        try:
            self.heading()
            self.generate()
            only = self.o.only
            if only & {"bulk", "s3", "search", "splunk"}:
                self.measure_limits()
            if "bulk" in only:
                self.bulk()
                if "memory" in only:
                    self.memory()
            if "s3" in only:
                bench_s3.measure(self, Table, verdict, say)
            for kind in bench_events.KINDS:
                if kind in only:
                    bench_events.measure(self, kind, Table, verdict, say)
            if "device" in only and self.can_mount():
                self.device_bulk()
            if "idle" in only:
                self.idle()
            if "trickle" in only and self.can_mount():
                self.trickle()
            if "size" in only:
                self.size()
        finally:
            shutil.rmtree(self.work, ignore_errors=True)


if __name__ == "__main__":
    Bench(options()).main()
