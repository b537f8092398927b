"""A server that a test runs on loopback: started, waited for with a deadline while its process
lives, stopped by pid, gone without a trace. s3_servers.py and search_servers.py say which.

What is not installed skips the test, naming the server; where $CI is "true" it fails it.
"""

import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from agent import Failed, die_with_parent
from install import IN_CI

START_SECONDS = 60  # a Java server on a busy machine
STOP_SECONDS = 5
KEY_STORE_PASSWORD = "tests"


def need_installed(installer, recipes, *names):
    """Skips the test where one is missing, loudly; fails it in CI."""
    for needed in names:
        if not recipes[needed].is_there():
            why = (f"MISSING: {needed} is not installed: python3 tests/support/{installer} "
                   "does it, or says why not")
            print(why, file=sys.stderr)  # a skip's reason is shown nowhere else
            raise Failed(why) if IN_CI else unittest.SkipTest(why)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class LocalServer:
    """`port`, `endpoint`, `pid`, `ca_file` (None without TLS), `state` (its directory), `log`."""

    name = ""
    tls = False  # unless asked for
    start_seconds, stop_seconds = START_SECONDS, STOP_SECONDS

    def __init__(self, tls):
        self.tls = self.tls if tls is None else tls
        self.state = Path(tempfile.mkdtemp(prefix=f"edgehose-{self.name}-"))
        self.log = self.state / "log"
        self.ca_file, self.certificates = None, self.state / "certs"
        self.certificate = self.certificates / "server.pem"
        self.key = self.certificates / "server.key"
        if self.tls:
            self.certificates.mkdir()
            make_certs = Path(__file__).with_name("make_certs.sh")
            subprocess.run(["bash", make_certs, self.certificates], check=True)
            self.ca_file = str(self.certificates / "ca.pem")
        self.port, self.process = 0, None

    # --- of each kind -----------------------------------------------------------------------------

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def prepare(self):
        """Before it starts; the port is known, where it is chosen for the server."""

    def speaks(self):
        """One question: whether it answers, with whatever."""
        try:
            connection = self.connect()
            connection.request("GET", "/")
            connection.getresponse().read()
            connection.close()
            return True
        except (OSError, http.client.HTTPException):
            return False

    # --- of all -----------------------------------------------------------------------------------

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def scheme(self):
        return "https" if self.tls else "http"

    @property
    def endpoint(self):
        return f"{self.scheme}://{self.host}"

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def key_store(self):
        """Key and certificate as Java wants them (PKCS #12)."""
        store = self.certificates / "server.p12"
        subprocess.run(["openssl", "pkcs12", "-export", "-in", self.certificate, "-inkey", self.key,
                        "-out", store, "-passout", f"pass:{KEY_STORE_PASSWORD}"], check=True)
        return store

    def spawn(self):
        self.prepare()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.state,
                env={**os.environ, **{k: str(v) for k, v in self.environment().items()}},
                preexec_fn=die_with_parent)

    def comes_up(self):
        """True once it speaks; false where its process ended before."""
        end = time.monotonic() + self.start_seconds
        while self.alive():
            if self.speaks():
                return self.alive()
            if time.monotonic() > end:
                self.give_up(f"does not answer after {self.start_seconds} s")
            time.sleep(0.02)
        return False

    def connect(self, timeout=5):
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def give_up(self, why):
        last = self.log.read_text(errors="replace").splitlines()[-15:]
        raise Failed("\n  ".join([f"{self.name} {why}; its last lines:", *last]))

    def kill(self):
        """SIGKILL."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.state, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()
