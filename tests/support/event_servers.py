"""The stand-ins for servers that take records by request, alike for tests that hold for each of them:
started, told to fail, asked what they have.

    server = event_servers.KINDS["search"](tls=folder)     # of make_certs.sh's; None: http
    server.sink(port=link.port, **options)                 # a sink's table for Sandbox.config()
    server.fails(server.refuses_credentials, times=3)      # one of those below, or a fault of faults.py
    server.lines()                                         # what has arrived, each as often as it did

    refuses_credentials, is_busy, slow, bad_node   the fault by which this server says or does so
    once      whether what is sent twice is there once; else it is counted
"""

import json
import subprocess

import agent
import search_reader
from fault_client import ALWAYS, FaultServer
from splunk_client import SplunkReceiver

PORTAL = {"do": "status", "status": 200, "headers": {"Content-Type": "text/html"},
          "body": "<html><body>Welcome. Please accept our terms.</body></html>"}
BALANCED = 3  # nodes behind one address


def agent_has(kind):
    """Whether this build knows sinks of that type."""
    told = subprocess.run([agent.AGENT, "check", "--config", "/dev/stdin"], text=True, capture_output=True,
                          input=f'[sinks.one]\ntype = "{kind}"\n')
    return "unknown sink type" not in told.stdout + told.stderr


class Alike:
    """`takes` is where records go, `path` also where is asked about them."""

    def address(self, port):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{port or self.port}"

    def fails(self, fault, **more):
        """From now on, and in no other way; `times` as the fault says, else always."""
        self.faults({"path": self.path, "times": ALWAYS, **fault, **more})

    def asked(self):
        """The requests that brought records, or asked about them."""
        return [entry for entry in self.log() if entry["path"].startswith(self.path)]


class SearchServer(Alike, FaultServer):
    path = takes = "/gateway/_bulk"
    other_losses = ()
    once = True
    refuses_credentials = {"do": "status", "status": 401, "body": "Unauthorized"}
    slow = {"do": "slow"}
    is_busy = {"do": "status", "status": 429, "headers": {"Retry-After": "1"}, "body": json.dumps(
        {"error": {"type": "es_rejected_execution_exception", "reason": "queue full"}, "status": 429})}
    # What the nodes of one cluster have they have in common.
    bad_node = {"do": "status", "status": 503, "every": BALANCED, "body": json.dumps(
        {"error": {"type": "node_closed_exception", "reason": "closing"}, "status": 503})}

    def __init__(self, tls=None):
        certificates = ("--tls", f"{tls}/server.pem", f"{tls}/server.key") if tls else ()
        super().__init__("fault_server.py", "--bulk", *certificates)
        self.ca_file = tls and f"{tls}/ca.pem"
        self.reader = search_reader.SearchReader(self.url, ca_file=self.ca_file)

    def sink(self, port=None, **options):
        return {"type": "elasticsearch", "path": None, "compression": None, "index": "gateway",
                "endpoints": [self.address(port)],
                "tls": {"ca_file": self.ca_file} if self.tls else None, **options}

    def lines(self):
        return self.reader.lines("gateway")


class SplunkServer(Alike, SplunkReceiver):
    """With acknowledgements, of several indexers that know nothing of each other; a channel has its own."""

    path, takes = "/services/collector", "/services/collector/event"
    other_losses = ({"path": "/services/collector/ack", "do": "lost"},)  # 30 s each, and then twice that
    once = False
    refuses_credentials = {"do": "code", "code": 4}
    slow = {"do": "slow", "pause": 3}  # its answers are of 40 bytes
    is_busy = {"do": "code", "code": 9}
    bad_node = {"do": "code", "code": 8, "every": BALANCED}

    def __init__(self, tls=None):
        super().__init__("--nodes", BALANCED, "--sticky", tls=tls)

    def sink(self, port=None, **options):
        return super().sink("ack-token", endpoints=[self.address(port)], ack=True, ack_interval="1s",
                            ack_timeout="30s", **options)

    def lines(self):
        return [line.encode() for line in super().lines()]


KINDS = {"search": SearchServer, "splunk": SplunkServer}
