"""An HTTP server on loopback that does, on command, what real servers do only on bad days. What it
does on good days is a backend's: fault_server.py and splunk_receiver.py have them.

POST /__faults takes a JSON list; each applies to the next `times` requests (default 1) whose method
and path match, and whose query holds `query`; the first that matches is used. With `every` only each
so manieth of them meets it: one bad node of so many behind a balancer. GET /__log answers what was
asked for so far.

    {"method": "PUT", "path": "/bucket/", "times": 2, "do": "status", "status": 503,
     "headers": {"Retry-After": "7"}, "body": "<Error/>"}

What it can do stands in fault_kinds.py; a backend may have more of its own. The answer's Date is
off by `date_offset` seconds where a fault says so.
"""

import argparse
import email.utils
import gzip
import hashlib
import http.server
import json
import socketserver
import ssl
import struct
import threading
import time

import fault_kinds


class Request:
    """`path` with its query; `headers` in lower case."""

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body


class Backend:
    """What a server does on good days. One request at a time, whatever the thread."""

    def serve(self, request):
        """(status, body, headers)"""
        raise NotImplementedError

    def control(self, request):
        """The same for paths that begin with /__, which are the test's; None for others."""

    def fault(self, fault, request):
        """The same for a fault of its own, one whose "do" is in `own_faults`."""
        raise NotImplementedError

    own_faults = ()


class Sample:
    """The first bodies that come, unpacked, in a file: each behind its length, 8 bytes, big-endian."""

    def __init__(self, path, size):
        self.file, self.left = open(path, "wb"), int(size)

    def take(self, body, headers):
        if self.left <= 0 or not body:
            return
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.left -= len(body)
        self.file.write(struct.pack(">Q", len(body)) + body)
        self.file.flush()


class State:
    def __init__(self, backend):
        self.backend, self.lock = backend, threading.Lock()
        self.faults, self.log, self.sample = [], [], None

    def fault_for(self, method, path):
        with self.lock:
            for fault in self.faults:
                if not applies(fault, method, path):
                    continue
                fault["met"] = fault.get("met", 0) + 1
                if fault["met"] % fault.get("every", 1):
                    continue
                fault["times"] = fault.get("times", 1) - 1
                if fault["times"] <= 0:
                    self.faults.remove(fault)
                return fault
        return None


def applies(fault, method, path):
    return (fault.get("method", method) == method and path.startswith(fault.get("path", "/"))
            and fault.get("query", "") in path.partition("?")[2])


class Handler(fault_kinds.Faults, http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fault-server", ""
    disable_nagle_algorithm = True
    date_offset = 0

    @property
    def state(self):
        return self.server.state

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate((timestamp or time.time()) + self.date_offset, usegmt=True)

    def handle_expect_100(self):
        # The fault decides whether the body is wanted; a fault that refuses early says so first.
        self.fault = self.state.fault_for(self.command, self.path)
        if self.fault and self.fault["do"] in ("early", "deaf"):
            return True
        return super().handle_expect_100()

    def parse_request(self):
        self.fault, self.body = None, b""
        return super().parse_request()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            self.close_connection = True

    # --- one request ------------------------------------------------------------------------------

    def serve(self):
        if self.path.startswith("/__"):
            return self.control()
        if not self.headers.get("Expect"):
            self.fault = self.state.fault_for(self.command, self.path)
        fault = self.fault or {"do": "date"}
        self.date_offset = fault.get("date_offset", 0)
        if fault["do"] not in fault_kinds.AT_ONCE:
            self.body = self.read_body()
        self.record()
        if fault["do"] in self.state.backend.own_faults:
            return self.answer(*self.asked(lambda backend, asked: backend.fault(fault, asked)))
        getattr(self, fault["do"])(fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_CONNECT = serve

    def control(self):
        self.body = self.read_body()
        if self.path == "/__faults":
            with self.state.lock:
                self.state.faults = json.loads(self.body)
            return self.answer(200, b"", {})
        if self.path == "/__log":
            with self.state.lock:
                return self.answer(200, json.dumps(self.state.log).encode(), {})
        told = self.asked(lambda backend, request: backend.control(request))
        self.answer(*(told or (404, b"no such control", {})))

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def record(self):
        with self.state.lock:
            if self.state.sample:
                self.state.sample.take(self.body, self.headers)
            self.state.log.append({
                "method": self.command, "path": self.path, "size": len(self.body),
                "sha256": hashlib.sha256(self.body).hexdigest(),
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "peer": self.client_address[1], "time": time.monotonic()})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def asked(self, serve=lambda backend, request: backend.serve(request)):
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.state.lock:
            return serve(self.state.backend, Request(self.command, self.path, headers, self.body))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, backend, tls=None, handler=Handler):
        self.state, self.tls = State(backend), tls
        super().__init__(("127.0.0.1", 0), handler)

    def finish_request(self, request, client_address):
        if self.tls:  # in the connection's own thread: a handshake that hangs is its own matter
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass


def parser(description):
    made = argparse.ArgumentParser(
        description="\n".join([description, __doc__, fault_kinds.__doc__]),
        formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    made.add_argument("--old-tls", action="store_true")
    made.add_argument("--client-ca", metavar="FILE")
    made.add_argument("--sample", nargs=2, metavar=("FILE", "BYTES"),
                      help="keep so much of what comes, to measure with (class Sample)")
    return made


def tls_context(args):
    if not args.tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*args.tls)
    if args.old_tls:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if args.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(args.client_ca)
    return context


def serve(backend, args, handler=Handler):
    """Tells its port, and serves until it is killed."""
    with Server(backend, tls_context(args), handler) as server:
        server.state.sample = args.sample and Sample(*args.sample)
        print(server.server_address[1], flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
