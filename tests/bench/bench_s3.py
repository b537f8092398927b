"""The rows of bench.py for tail to S3: over loopback, to the server of ../support/fault_server.py,
whose own CPU is not counted; what it keeps tells the ratio."""
import json
import os
import ssl
import statistics
import subprocess
import sys
import urllib.request
from pathlib import Path

import agent  # found by bench

SUPPORT = Path(__file__).resolve().parents[1] / "support"
KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "key of the benchmark"}
VARIANTS = (("zstd, passed through", {}, False, 1.6), ("gzip", {"compression": "gzip"}, False, None),
            ("zstd, objects encrypted (age)", {"encrypt": True}, False, None),
            ("zstd, passed through, TLS", {}, True, None),
            ("zstd, passed through, objects of 64 MiB", {"batch": {"max_size": "64MiB", "max_age": "5m"}},
             False, None))


class Bucket:
    def __init__(self, certificates):
        self.tls = certificates is not None
        command = [sys.executable, SUPPORT / "fault_server.py"]
        if self.tls:
            subprocess.run(["bash", SUPPORT / "make_certs.sh", certificates], check=True)
            command += ["--tls", certificates / "server.pem", certificates / "server.key"]
        self.process = subprocess.Popen(list(map(str, command)), text=True, stdout=subprocess.PIPE,
                                        preexec_fn=agent.die_with_parent)
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{int(self.process.stdout.readline())}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stored(self):
        blind = ssl._create_unverified_context() if self.tls else None
        with urllib.request.urlopen(self.url + "/__log", context=blind) as answer:
            return sum(entry["size"] for entry in json.load(answer) if entry["method"] == "PUT")

    def sink(self, certificates):
        sink = {"type": "s3", "path": None, "bucket": "bench", "region": "eu-west-1",
                "endpoint": self.url, "credentials": KEYS}
        return {**sink, "tls": {"ca_file": certificates / "ca.pem"}} if self.tls else sink


def once(bench, variant, tls):
    with bench.box() as box, Bucket(box.root if tls else None) as bucket:
        if "encrypt" in variant:
            variant = {**variant, "encrypt": {"age": [box.age_recipient()]}}
        bench.configure(box, {**bucket.sink(box.root), **variant})
        os.link(bench.log, box.logs / "app.log")
        return (*bench.once(box), bucket.stored())


def measure(bench, table, verdict, say):
    gb, mb = bench.bytes / 1e9, 1e6
    rows = table(f"Tail to S3 over loopback, {bench.bytes / mb:.0f} MB of log, `run --once`", "what",
                 "CPU s/GB", "MB/s", "ratio", "CPU / zstd -1 stream", "aim", "anonymous MB", "aim")
    for name, variant, tls, aim in VARIANTS:
        say(f"S3: {name} ...")
        results = [once(bench, variant, tls) for _ in range(bench.o.runs)]
        cpu, wall, _, _, stored = (statistics.median(r[i] for r in results) for i in range(5))
        anon = max(r[2] for r in results) * 1024 / mb
        against = cpu / bench.limits["zstd_stream"]["cpu"]
        rows.row(name, f"{cpu / gb:.2f}", f"{bench.bytes / mb / wall:.0f}",
                 f"{bench.bytes / stored:.2f}", f"{against:.2f}",
                 verdict(against, aim) if aim else "", f"{anon:.1f}", verdict(anon, 12))
