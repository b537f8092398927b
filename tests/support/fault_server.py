#!/usr/bin/env python3
"""An HTTP server that does, on command, what real servers do only on bad days (faults.py).

    fault_server.py [--tls CERT KEY] [--old-tls] [--client-ca FILE]
                    [--proxy USER:PASSWORD]
                    [--bulk [--user USER:PASSWORD] [--limit BYTES] [--forget | --marks]]

Prints "PORT\\n" and serves on 127.0.0.1 until it is killed. Without faults it is a store: PUT keeps
a body under its path, GET and HEAD give it back, DELETE removes it, POST echoes; multipart uploads
are fault_uploads.py's. With --bulk it is a search server (fault_bulk.py). With --proxy it is a
proxy: CONNECT and absolute URLs, for whom the credentials are right. With --old-tls it speaks TLS
1.2 at most.
"""

import base64
import hashlib
import http.client
import select
import socket
import sys
import urllib.parse

import fault_bulk
import fault_uploads
import faults


class Store(faults.Backend):
    def __init__(self):
        self.held = {}
        self.uploads = fault_uploads.Uploads(self.held)

    def serve(self, request):
        path, query = urllib.parse.urlsplit(request.path)[2:4]
        if self.uploads.mine(query):
            return self.uploads.serve(request.method, path, query, request.body)
        if request.method == "PUT":
            self.held[path] = request.body
        deletes = request.method == "DELETE"
        found = self.held.pop(path, b"") if deletes else self.held.get(path)
        if request.method in ("GET", "HEAD") and found is None:
            return 404, b"not there", {}
        tag = {"ETag": '"%s"' % hashlib.md5(found or b"").hexdigest()}
        body = {"POST": request.body, "GET": found, "HEAD": found}.get(request.method, b"")
        return 200, body, tag


class Proxy(faults.Handler):
    wanted = ""

    def serve(self):
        with self.state.lock:
            self.state.log.append({"method": self.command, "path": self.path})
        if self.headers.get("Proxy-Authorization") != self.wanted:
            self.read_body()
            return self.answer(407, b"", {"Proxy-Authenticate": 'Basic realm="proxy"'})
        if self.command == "CONNECT":
            return self.tunnel()
        url = urllib.parse.urlsplit(self.path)
        upstream = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=60)
        headers = {n: v for n, v in self.headers.items() if not n.lower().startswith("proxy-")}
        path = urllib.parse.urlunsplit(("", "", *url[2:]))
        upstream.request(self.command, path, self.read_body(), headers)
        response = upstream.getresponse()
        self.answer(response.status, response.read(), {"Via": "1.1 fault-server"})

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_CONNECT = serve

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


def main():
    parser = faults.parser(__doc__)
    parser.add_argument("--proxy", metavar="USER:PASSWORD")
    fault_bulk.add_arguments(parser)
    args = parser.parse_args()
    if args.proxy:
        Proxy.wanted = "Basic " + base64.b64encode(args.proxy.encode()).decode()
        return faults.serve(Store(), args, Proxy)
    faults.serve(fault_bulk.Bulk(args) if args.bulk else Store(), args)


if __name__ == "__main__":
    sys.exit(main())
