"""A server of faults.py as a process beside a test, and what the test says to it.

    with FaultServer("fault_server.py", "--bulk") as server:
        server.url, server.port
        server.faults({"path": "/_bulk", "do": "status", "status": 503, "times": 3})
        server.log("POST")
"""

import json
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

from agent import die_with_parent

ALWAYS = 10**9  # times


class FaultServer:
    def __init__(self, program, *arguments):
        command = [sys.executable, Path(__file__).with_name(program), *map(str, arguments)]
        self.process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                                        preexec_fn=die_with_parent)
        self.port = int(self.process.stdout.readline())
        self.tls = "--tls" in arguments
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def get(self, path, data=None, headers=None):
        """The body of the answer; urllib's HTTPError where it is none of success."""
        blind = ssl._create_unverified_context() if self.tls else None
        request = urllib.request.Request(self.url + path, data, headers or {})
        with urllib.request.urlopen(request, timeout=20, context=blind) as answer:
            return answer.read()

    def faults(self, *faults):
        """What happens to the next requests, instead of what was said before."""
        self.get("/__faults", json.dumps(faults).encode())

    def log(self, method=None):
        return [entry for entry in json.loads(self.get("/__log"))
                if method in (None, entry["method"])]
