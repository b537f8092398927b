"""A test's hold on splunk_receiver.py: what it has indexed, what it answered, and its state.

    with SplunkReceiver("--nodes", 3, "--token", "t:ack", tls=folder) as splunk:
        splunk.state(indexing=False, ack_delay=240)
        splunk.restart(node=1)
        splunk.faults({"do": "code", "code": 9, "times": 5})
        splunk.lines(), splunk.download(folder)      # for check_lines
        splunk.codes()                               # {0: 12, 9: 5}: how often each was given
"""

import json
import tempfile
from pathlib import Path

from agent import secret
from fault_client import FaultServer


class SplunkReceiver(FaultServer):
    """`tls`: a folder of make_certs.sh's."""

    def __init__(self, *arguments, tls=None):
        if tls:
            arguments = ("--tls", f"{tls}/server.pem", f"{tls}/server.key", *arguments)
        self.ca_file = tls and f"{tls}/ca.pem"
        self.tokens = tempfile.TemporaryDirectory(prefix="edgehose-splunk-")
        super().__init__("splunk_receiver.py", *arguments)

    def close(self):
        super().close()
        self.tokens.cleanup()

    def state(self, **state):
        self.get("/__state", json.dumps(state).encode())

    def restart(self, node=None):
        """Of one indexer or all: what it had not indexed is lost, what it owed is forgotten."""
        self.get("/__restart" + ("" if node is None else f"?node={node}"), b"")

    def counts(self):
        return json.loads(self.get("/__counts"))

    def codes(self):
        return {int(code): times for code, times in self.counts()["codes"].items()
                if code.isdecimal()}

    def events(self, first=0):
        """Each with its node and channel."""
        return [json.loads(line) for line in self.get(f"/__events?from={first}").splitlines()]

    def lines(self):
        """The event of each, as it was sent; of one that is no text its JSON."""
        return [event["event"] if isinstance(event["event"], str) else json.dumps(event["event"])
                for event in self.events()]

    def download(self, folder):
        path = Path(folder) / "splunk.log"
        path.write_text("".join(line + "\n" for line in self.lines()))
        return path

    def sink(self, token="token", **options):
        """A sink's table for Sandbox.config()."""
        return {"type": "splunk", "path": None, "compression": None, "endpoints": [self.url],
                "token": secret(Path(self.tokens.name) / token, token),
                "tls": {"ca_file": self.ca_file} if self.ca_file else None,
                "batch": {"max_age": "1s"}, **options}
