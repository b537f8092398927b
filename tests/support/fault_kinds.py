"""What a server of faults.py does on command: each method of Faults is a "do" of a fault.

    status       answers `status`, `headers`, `body`, the request read to its end
    early        the same, before the request's body is read, and closes
    reset        breaks the connection (RST) after `after` bytes of the request's body
    lost         does what is asked, then breaks the connection without an answer
    silent       reads the request, never answers
    deaf         reads nothing after the headers, never answers
    drip         answers one byte of the body each `pause` seconds (default 1)
    slow         does what is asked, and answers one byte each `pause` seconds (default 1)
    short        promises more body than it sends; with "reset" it breaks the connection then
    endless      a body without an end
    extensions   a chunk with extensions without an end
    garbage      bytes that are not HTTP
    late         does what is asked after `pause` seconds
    date         does what is asked
"""

import socket
import struct
import time

# Done before the request's body is read.
AT_ONCE = ("early", "deaf", "reset")


class Faults:
    """Of faults.Handler."""

    def answer_of(self, fault):
        return fault.get("status", 200), fault.get("body", "").encode(), fault.get("headers", {})

    def date(self, fault):
        self.answer(*self.asked())

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
        self.asked()
        self.break_connection()

    def silent(self, fault):
        self.wait_for_peer()

    def deaf(self, fault):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        time.sleep(fault.get("seconds", 600))

    def drip(self, fault):
        status, body, headers = self.answer_of({"body": "x" * 100000, **fault})
        self.by_bytes(status, body, headers, fault)

    def slow(self, fault):
        self.by_bytes(*self.asked(), fault)

    def by_bytes(self, status, body, headers, fault):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
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
        self.answer(*self.asked())

    def break_connection(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def wait_for_peer(self):
        self.connection.settimeout(600)
        self.connection.recv(1)
        self.close_connection = True
