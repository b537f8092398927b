"""The rows of bench.py for tail to servers that take records by request: over loopback, to the stand-ins
of ../support, which keep nothing and whose own CPU is not counted. The limits are of the same run:
zstd -1 of the log, its lines as JSON strings, and of the bodies that the agent sent gzip -1 as zlib does it,
and as libdeflate does, which the agent uses."""
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import agent  # found by bench
from fault_client import ALWAYS, FaultServer
from splunk_client import SplunkReceiver

MB = 1e6
SAMPLE = 200e6  # bytes of bodies that are kept, for the limits
AIM = 1.6
OUTAGE_SECONDS = 30  # after all is read
FLAT = 0.5  # MB
INDEX = "bench"
LINE_MARK = b"id=RUN-"  # once in each
PLAIN, TLS = False, True


class Search(FaultServer):
    name, path = "Elasticsearch", f"/{INDEX}/_bulk"
    down = {"do": "status", "status": 503}
    variants = (("lines, gzip", {}, PLAIN, True), ("lines, not compressed", {"compression": "none"}, PLAIN, False),
                ("lines, gzip, TLS", {}, TLS, True), ("json, gzip", {"format": "json"}, PLAIN, False))

    def __init__(self, tls, *arguments):
        secured = ("--tls", tls / "server.pem", tls / "server.key") if tls else ()
        super().__init__("fault_server.py", "--bulk", "--forget", *map(str, (*secured, *arguments)))
        self.ca_file = tls and tls / "ca.pem"

    def sink(self):
        return {"type": "elasticsearch", "path": None, "compression": None, "index": INDEX,
                "endpoints": [self.url], "tls": {"ca_file": self.ca_file} if self.tls else None}

    def taken(self):
        return int(self.get("/__forgotten"))


class Splunk(SplunkReceiver):
    name, path = "Splunk", "/services/collector"
    down = {"do": "code", "code": 9}
    variants = (("events, gzip", {}, PLAIN, True), ("events, gzip, acknowledged", {"ack": True}, PLAIN, True),
                ("events, not compressed", {"compression": "none"}, PLAIN, False),
                ("events, gzip, TLS", {}, TLS, True))

    def __init__(self, tls, *arguments):
        super().__init__("--forget", *map(str, arguments), tls=tls)

    def sink(self):
        return super().sink("token", batch=None)

    def taken(self):
        return self.counts()["events"]


KINDS = {"search": Search, "splunk": Splunk}


class Measured:
    """Of one kind of server: its table, and its limits once there are bodies."""

    def __init__(self, bench, kind, table, verdict, say):
        self.bench, self.kind, self.table, self.verdict, self.say = bench, kind, table, verdict, say
        self.sample, self.bodies = bench.work / "bodies", None

    def configure(self, box, server, variant):
        token = {"token": agent.secret(box.root / "token", "ack-token")} if variant.get("ack") else {}
        sink = {**server.sink(), "batch": None, "compression": None, **token, **variant}
        self.bench.configure(box, sink)

    def start(self, box, tls, *arguments):
        if tls:
            subprocess.run(["bash", Path(agent.__file__).with_name("make_certs.sh"), box.root], check=True)
        return self.kind(box.root if tls else None, *arguments)

    def once(self, variant, tls):
        keep = () if self.bodies else ("--sample", self.sample, int(SAMPLE))
        with self.bench.box() as box, self.start(box, tls, *keep) as server:
            self.configure(box, server, variant)
            os.link(self.bench.log, box.logs / "app.log")
            cpu, wall, anon, _ = self.bench.once(box)
            if server.taken() != self.bench.lines:
                raise agent.Failed(f"{server.taken()} of {self.bench.lines} lines have arrived")
            sent = sum(entry["size"] for entry in server.log("POST") if entry["path"].startswith(server.path))
        return cpu, wall, anon, sent

    def measure_bodies(self):
        """What the machine needs for all of the bodies, from those that were kept."""
        out = subprocess.run([self.bench.o.tools / "bench/bench_limits", "--bodies", self.sample], check=True,
                             capture_output=True, text=True).stdout
        self.bodies = json.loads(out)
        self.bodies["log"] = self.log_bytes_of_sample()

    def log_bytes_of_sample(self):
        """Of the log, those that the kept bodies hold: by their share of the lines."""
        data, at, lines = self.sample.read_bytes(), 0, 0
        while at < len(data):
            size = int.from_bytes(data[at:at + 8], "big")
            lines += data.count(LINE_MARK, at + 8, at + 8 + size)
            at += 8 + size
        return lines * self.bench.bytes / self.bench.lines

    def run(self):
        gb = self.bench.bytes / 1e9
        title = f"Tail to {self.kind.name} over loopback, {self.bench.bytes / MB:.0f} MB of log, `run --once`"
        rows = self.table(title, "what", "CPU s/GB", "MB/s", "sent / raw", "CPU / (zstd -1 + gzip -1)",
                          "aim", "CPU / (zstd -1 + libdeflate -1)", "anonymous MB")
        for name, variant, tls, aimed in self.kind.variants:
            self.say(f"{self.kind.name}: {name} ...")
            results = [self.once(variant, tls) for _ in range(self.bench.o.runs)]
            if self.bodies is None:
                self.measure_bodies()
                self.limit_rows(rows)
            cpu, wall, _, sent = (statistics.median(r[i] for r in results) for i in range(4))
            anon = max(r[2] for r in results) * 1024 / MB
            against = [cpu / gb / (self.zstd + packed) for packed in (self.gzip, self.libdeflate)]
            rows.row(name, f"{cpu / gb:.2f}", f"{self.bench.bytes / MB / wall:.0f}",
                     f"{sent / self.bench.bytes:.3f}", f"{against[0]:.2f}",
                     self.verdict(against[0], AIM) if aimed else "", f"{against[1]:.2f}", f"{anon:.1f}")
        self.outage()

    def limit_rows(self, rows):
        gb, part = self.bench.bytes / 1e9, self.bodies["log"] / 1e9
        limits = self.bench.limits
        self.zstd = limits["zstd_stream"]["cpu"] / gb
        packed = [self.bodies[name] for name in ("gzip_libdeflate", "gzip_zlib")]
        self.libdeflate, self.gzip = (one["cpu"] / part for one in packed)
        for name, cpu, size in (
                ("zstd -1 of the log, one stream", self.zstd, limits["zstd_stream"]["bytes"] / self.bench.bytes),
                ("its lines as JSON strings", limits["json_strings"]["cpu"] / gb,
                 limits["json_strings"]["bytes"] / self.bench.bytes),
                ("libdeflate -1 of the bodies, as the agent does", self.libdeflate,
                 packed[0]["bytes"] / part / 1e9),
                ("gzip -1 of the bodies", self.gzip, packed[1]["bytes"] / part / 1e9)):
            rows.row(f"limit: {name}", f"{cpu:.2f}", "", f"{size:.3f}", "", "", "", "")
        rows.row("(the bodies, before gzip)", "", "", f"{self.bodies['bytes'] / part / 1e9:.3f}", "", "", "", "")

    def outage(self):
        """All of the log is read while the server takes nothing, and then nothing happens."""
        self.say(f"{self.kind.name}: an outage ...")
        rows = self.table(f"An outage of {self.kind.name}, {self.bench.bytes / MB:.0f} MB of log read meanwhile",
                          "anonymous MB", "measured", "aim")
        with self.bench.box() as box, self.start(box, None) as server:
            server.faults({"path": server.path, "times": ALWAYS, **server.down})
            self.configure(box, server, {"retry": {"initial": "100ms", "max": "1s"}})
            os.link(self.bench.log, box.logs / "app.log")
            process = box.start()
            peaks = [self.peak(process, lambda: self.all_read(box))]
            for _ in range(2):
                end = time.monotonic() + OUTAGE_SECONDS / 2
                peaks.append(self.peak(process, lambda: time.monotonic() > end))
            process.stop()
        half = OUTAGE_SECONDS // 2
        rows.row("while it reads, peak", f"{peaks[0]:.1f}", "")
        rows.row(f"in the next {half} s, peak", f"{peaks[1]:.1f}", "")
        rows.row(f"in the {half} s after those, peak", f"{peaks[2]:.1f}", "")
        rows.row("what it grew by then", f"{peaks[2] - peaks[1]:.1f}", self.verdict(peaks[2] - peaks[1], FLAT))

    def all_read(self, box):
        try:
            return box.status()["sources"][0]["committed"]["records"] == self.bench.lines
        except (agent.Failed, LookupError):
            return False

    def peak(self, process, over):
        sampler = self.bench.sampler(process.pid)
        while not over():
            time.sleep(0.2)
        sampler.done.set()
        return sampler.anon * 1024 / MB


def measure(bench, kind, table, verdict, say):
    Measured(bench, KINDS[kind], table, verdict, say).run()
