"""TLS with servers of every usual kind of certificate, key exchange and cipher. What the library of a build does not
have shows here: the static one (cross/static) leaves out what nobody is known to use."""

import http.server
import ssl
import subprocess
import threading

import promise

CERTIFICATES = {
    "rsa": ("rsa:2048",),
    "ec256": ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    "ec384": ("ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"),
    "ec521": ("ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"),
    "ed25519": ("ed25519",),
}
GROUPS = ("prime256v1", "secp384r1", "secp521r1")  # that a server insists on; X25519 is the first choice of both
CIPHERS = {  # of TLS 1.2, with a certificate that they can be used with
    "ECDHE-ECDSA-AES128-GCM-SHA256": "ec256", "ECDHE-ECDSA-AES256-GCM-SHA384": "ec384",
    "ECDHE-ECDSA-CHACHA20-POLY1305": "ec256",
    "ECDHE-RSA-AES256-GCM-SHA384": "rsa", "ECDHE-RSA-CHACHA20-POLY1305": "rsa",
    "ECDHE-RSA-AES128-SHA256": "rsa", "ECDHE-RSA-AES256-SHA384": "rsa", "ECDHE-RSA-AES128-SHA": "rsa",
    "DHE-RSA-AES128-GCM-SHA256": "rsa", "AES256-GCM-SHA384": "rsa", "AES128-SHA": "rsa",
}
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Server:
    """Takes requests over TLS as `context` says, and answers each that it has what was asked for."""

    def __init__(self, context):
        self.seen = seen = []  # by what cipher each came

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                super().handle_one_request()
                self.close_connection = True

            def answer(self):
                seen.append(self.connection.cipher()[0])
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.handle_error = lambda *_: None  # a refused handshake is the client's to tell
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Promise(promise.PromiseCase):
    def certificate(self, kind):
        """Signed by itself, which makes it its own authority."""
        pem = self.box.root / f"{kind}.pem"
        if not pem.exists():
            subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-newkey",
                            *CERTIFICATES[kind], "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", self.box.root / f"{kind}.key", "-out", pem], check=True, capture_output=True)
        return pem

    def context(self, kind, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(self.certificate(kind), self.box.root / f"{kind}.key")
        return context

    def asked(self, kind, context):
        """By what ciphers the agent asked such a server."""
        server = Server(context)
        try:
            self.box.config(sinks={"cloud": {
                "type": "s3", "path": None, "bucket": "telemetry", "region": "eu-west-1", "endpoint": server.url,
                "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "a secret"},
                "tls": {"ca_file": self.certificate(kind)}}})
            told = self.box.call("check", "--connect")
        finally:
            server.close()
        self.assertTrue(server.seen, told.stderr)
        return set(server.seen)

    def test_certificates_of_every_usual_kind(self):
        for kind in CERTIFICATES:
            with self.subTest(kind):
                self.asked(kind, self.context(kind, TLS13))

    def test_groups_that_a_server_insists_on(self):
        for version in (TLS12, TLS13):
            for group in GROUPS:
                with self.subTest(f"{version.name} {group}"):
                    context = self.context("rsa", version)
                    context.set_ecdh_curve(group)
                    self.asked("rsa", context)

    def test_ciphers_of_tls_1_2(self):
        groups = self.box.root / "groups.pem"
        subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048",
                        "-out", groups], check=True, capture_output=True)
        for cipher, kind in CIPHERS.items():
            with self.subTest(cipher):
                context = self.context(kind, TLS12)
                context.load_dh_params(groups)
                context.set_ciphers(cipher)
                self.assertEqual(self.asked(kind, context), {cipher})

    def test_an_authority_that_did_not_sign_is_refused(self):
        server = self.context("rsa", TLS13)
        self.certificate("ec256")
        with self.assertRaisesRegex(AssertionError, "certificate"):
            self.asked("ec256", server)


if __name__ == "__main__":
    promise.main()
