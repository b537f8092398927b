#!/usr/bin/env python3
"""An HTTP server that does, on command, what real servers do only on bad days.

    fault_server.py [--tls CERT KEY] [--old-tls] [--client-ca FILE] [--proxy USER:PASSWORD]

Prints "PORT\n" and serves on 127.0.0.1 until it is killed. Without faults it is a store: PUT keeps a
body under its path, GET and HEAD give it back, DELETE removes it, POST echoes; multipart uploads are
fault_uploads.py's. With --proxy it is a proxy instead: CONNECT and absolute URLs, for whom the
credentials are right. With --old-tls it speaks TLS 1.2 at most.

POST /__faults takes a JSON list; each applies to the next `times` requests (default 1) whose method
and path match, and whose query holds `query`; the first that matches is used. GET /__log answers what was asked for so far.

    {"method": "PUT", "path": "/bucket/", "times": 2, "do": "status", "status": 503,
     "headers": {"Retry-After": "7"}, "body": "<Error/>"}

do: status       answers `status`, `headers`, `body`, the request read to its end
    early        the same, before the request's body is read, and closes
    reset        breaks the connection (RST) after `after` bytes of the request's body
    lost         does what is asked, then breaks the connection without an answer
    silent       reads the request, never answers
    deaf         reads nothing after the headers, never answers
    drip         answers one byte of the body each `pause` seconds (default 1)
    short        promises more body than it sends; with "reset" it breaks the connection then
    endless      a body without an end
    extensions   a chunk with extensions without an end
    garbage      bytes that are not HTTP
    late         does what is asked after `pause` seconds
    date         does what is asked
The answer's Date is off by `date_offset` seconds where a fault says so.
"""
import argparse
import base64
import email.utils
import hashlib
import http.client
import http.server
import json
import select
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import urllib.parse

import fault_uploads


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.faults, self.log, self.store = [], [], {}
        self.uploads = fault_uploads.Uploads(self.store)

    def fault_for(self, method, path):
        with self.lock:
            for fault in self.faults:
                if fault.get("method", method) != method or not path.startswith(fault.get("path", "/")):
                    continue
                if fault.get("query", "") not in path.partition("?")[2]:
                    continue
                fault["times"] = fault.get("times", 1) - 1
                if fault["times"] <= 0:
                    self.faults.remove(fault)
                return fault
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fault-server", ""
    date_offset = 0

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate((timestamp or time.time()) + self.date_offset, usegmt=True)

    def handle_expect_100(self):
        # The fault decides whether the body is wanted; a fault that refuses early says so first.
        self.fault = STATE.fault_for(self.command, self.path)
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

    # --- one request ---

    def serve(self):
        if PROXY:
            return self.proxy()
        if self.path == "/__faults":
            with STATE.lock:
                STATE.faults = json.loads(self.read_body())
            return self.answer(200, b"")
        if self.path == "/__log":
            with STATE.lock:
                return self.answer(200, json.dumps(STATE.log).encode())
        if not self.headers.get("Expect"):
            self.fault = STATE.fault_for(self.command, self.path)
        fault = self.fault or {"do": "date"}
        self.date_offset = fault.get("date_offset", 0)
        before = {"early": self.early, "deaf": self.deaf, "reset": self.reset}
        if fault["do"] in before:
            self.record()
            return before[fault["do"]](fault)
        self.body = self.read_body()
        self.record()
        getattr(self, fault["do"])(fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_CONNECT = serve

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
        with STATE.lock:
            STATE.log.append({
                "method": self.command, "path": self.path, "size": len(self.body),
                "sha256": hashlib.sha256(self.body).hexdigest(),
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "peer": self.client_address[1], "time": time.monotonic()})

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve_store(self):
        path, query = urllib.parse.urlsplit(self.path)[2:4]
        with STATE.lock:
            if STATE.uploads.mine(query):
                return STATE.uploads.serve(self.command, path, query, self.body)
            if self.command == "PUT":
                STATE.store[path] = self.body
            found = STATE.store.pop(path, b"") if self.command == "DELETE" else STATE.store.get(path)
        if self.command in ("GET", "HEAD") and found is None:
            return 404, b"not there", {}
        tag = {"ETag": '"%s"' % hashlib.md5(found or b"").hexdigest()}
        body = {"POST": self.body, "GET": found, "HEAD": found}.get(self.command, b"")
        return 200, body, tag

    # --- faults ---

    def answer_of(self, fault):
        return fault.get("status", 200), fault.get("body", "").encode(), fault.get("headers", {})

    def serve_answer(self):
        status, body, headers = self.serve_store()
        self.answer(status, body, headers)

    def date(self, fault):
        self.serve_answer()

    def status(self, fault):
        self.answer(*self.answer_of(fault))

    def early(self, fault):
        self.close_connection = True
        status, body, headers = self.answer_of(fault)
        self.answer(status, body, {**headers, "Connection": "close"})

    def reset(self, fault):
        left = fault.get("after", 0)
        while left > 0:
            chunk = self.rfile.read1(min(left, 65536))
            if not chunk:
                break
            left -= len(chunk)
        self.break_connection()

    def lost(self, fault):
        self.serve_store()
        self.break_connection()

    def silent(self, fault):
        self.wait_for_peer()

    def deaf(self, fault):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        time.sleep(fault.get("seconds", 600))

    def drip(self, fault):
        body = fault.get("body", "x" * 100000).encode()
        self.send_response(fault.get("status", 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for i in range(len(body)):
            self.wfile.write(body[i:i + 1])
            time.sleep(fault.get("pause", 1))

    def short(self, fault):
        body = fault.get("body", "half").encode()
        self.send_response(fault.get("status", 200))
        self.send_header("Content-Length", str(len(body) * 2))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True
        if fault.get("reset"):
            self.break_connection()

    def endless(self, fault):
        self.send_response(fault.get("status", 200))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b"<p>" * 4096)

    def extensions(self, fault):
        self.send_response(fault.get("status", 200))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b"1;" + b"x" * 8192)

    def garbage(self, fault):
        self.wfile.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        self.close_connection = True

    def late(self, fault):
        time.sleep(fault.get("pause", 1))
        self.serve_answer()

    def break_connection(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def wait_for_peer(self):
        self.connection.settimeout(600)
        self.connection.recv(1)
        self.close_connection = True

    # --- as a proxy ---

    def proxy(self):
        with STATE.lock:
            STATE.log.append({"method": self.command, "path": self.path})
        wanted = "Basic " + base64.b64encode(PROXY.encode()).decode()
        if self.headers.get("Proxy-Authorization") != wanted:
            self.read_body()
            return self.answer(407, b"", {"Proxy-Authenticate": 'Basic realm="proxy"'})
        if self.command == "CONNECT":
            return self.tunnel()
        url = urllib.parse.urlsplit(self.path)
        upstream = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=60)
        headers = {n: v for n, v in self.headers.items() if not n.lower().startswith("proxy-")}
        upstream.request(self.command, urllib.parse.urlunsplit(("", "", *url[2:])), self.read_body(),
                         headers)
        response = upstream.getresponse()
        self.answer(response.status, response.read(), {"Via": "1.1 fault-server"})

    def tunnel(self):
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as upstream:
            self.send_response(200)
            self.end_headers()
            pair = {self.connection: upstream, upstream: self.connection}
            while True:
                for ready in select.select(list(pair), [], [], 60)[0]:
                    data = ready.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    pair[ready].sendall(data)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def finish_request(self, request, client_address):
        if TLS:  # in the connection's own thread: a handshake that hangs is its own matter
            request = TLS.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass


def main():
    global STATE, TLS, PROXY
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--old-tls", action="store_true")
    parser.add_argument("--client-ca", metavar="FILE")
    parser.add_argument("--proxy", metavar="USER:PASSWORD")
    args = parser.parse_args()
    STATE, TLS, PROXY = State(), None, args.proxy
    if args.tls:
        TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        TLS.load_cert_chain(*args.tls)
        if args.old_tls:
            TLS.maximum_version = ssl.TLSVersion.TLSv1_2
        if args.client_ca:
            TLS.verify_mode = ssl.CERT_REQUIRED
            TLS.load_verify_locations(args.client_ca)
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
