"""What the tests of promises share: one sandbox for each test, kept when the test fails.

A test is a method `test_...` of the one class `Promise` of its file; ctest runs each by itself, the
same as:  EDGEHOSE=build-tests/agent/edgehose python3 tests/promises/FILE.py Promise.test_NAME
"""

import os
import socket
import sys
import time
import unittest
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[1] / "support"
sys.path.insert(0, str(SUPPORT))
from agent import ROOT, TOOLS, Failed, Sandbox, die_with_parent, secret, wait_until  # noqa: E402, F401

PARKED = 100  # seconds: a parked sink is tried again after one minute, with jitter


class Systemd:
    """The other end of $NOTIFY_SOCKET: every message with the second it came."""

    def __init__(self, address, watchdog_usec=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.messages = []
        self.env = {**os.environ, "NOTIFY_SOCKET": address}
        if watchdog_usec:
            self.env["WATCHDOG_USEC"] = str(watchdog_usec)

    def told(self, text):
        """The seconds at which a line that begins so came."""
        while True:
            try:
                self.messages.append((time.monotonic(), self.socket.recv(4096).decode()))
            except BlockingIOError:
                return [at for at, message in self.messages
                        if any(line.startswith(text) for line in message.split("\n"))]

    def close(self):
        self.socket.close()


class PromiseCase(unittest.TestCase):
    failureException = AssertionError

    def setUp(self):
        self.box = Sandbox()
        self.addCleanup(self.close)
        self.box.config()

    def close(self):
        failed = any(error for _, error in getattr(self._outcome, "errors", [])) or \
            bool(self._outcome.result.errors or self._outcome.result.failures)
        self.box.__exit__(AssertionError if failed else None, None, None)

    def need_root(self):
        if os.geteuid() != 0:
            self.skipTest("needs to mount a small file system: run as root")

    def assert_bounded_log(self, limit=300):
        """The agent's own log stays readable whatever happens."""
        count = len(self.box.agent_log.read_bytes().splitlines())
        self.assertLess(count, limit, "lines in the agent's own log")

    def systemd(self, address=None, **options):
        systemd = Systemd(address or str(self.box.root / "notify.sock"), **options)
        self.addCleanup(systemd.close)
        return systemd

    def ready(self, systemd, seconds=10):
        wait_until(lambda: systemd.told("READY=1"), seconds, "READY=1")

    def source(self, status, name="app"):
        return next(s for s in status["sources"] if s["name"] == name)

    def sink(self, status, name="archive"):
        return next(s for s in status["sinks"] if s["name"] == name)


def time_passes(agent, seconds):
    """For what must NOT happen: the agent is given that long to do it."""
    end = time.monotonic() + seconds
    while agent.running() and time.monotonic() < end:
        time.sleep(0.05)


def main():
    unittest.main(verbosity=0)
