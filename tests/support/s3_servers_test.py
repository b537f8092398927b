#!/usr/bin/env python3
"""Each S3 server of the tests starts, and does what s3_servers.HONOURS says, no more and no less.

    python3 tests/support/s3_servers_test.py VersityGw
"""

import os
import unittest

import s3_servers
from s3_client import Refused
from s3_probes import BODY, PROBES, honoured, put


class ServerCase:
    kind = None

    @classmethod
    def setUpClass(cls):
        cls.server = s3_servers.start(cls.kind, buckets=["logs"])
        cls.addClassCleanup(cls.server.stop)

    def test_honours_what_the_table_says(self):
        found = {name for name in PROBES if honoured(name, self.server)}
        self.assertEqual(sorted(found), sorted(self.server.honours))

    def test_what_is_stored_comes_back(self):
        for key in ("site=north/2026/11/a b+c.log.zst", "ü/€.log"):
            put(self.server, key)
            self.assertEqual(self.server.s3.get("logs", key), BODY)
            self.assertIn(key, self.server.s3.keys("logs"))

    def test_a_wrong_secret_reads_nothing(self):
        put(self.server)
        with self.assertRaises(Refused) as refused:
            self.server.s3.get("logs", "k", who={"secret_key": "wrong"})
        self.assertEqual(refused.exception.code, "SignatureDoesNotMatch")

    def test_over_tls_with_its_authority_and_gone_when_stopped(self):
        with s3_servers.start(self.kind, tls=True, buckets=["logs"]) as server:
            put(server)
            self.assertEqual(server.s3.get("logs", "k"), BODY)
            with self.assertRaisesRegex(Exception, "SSL"):
                put(server, who={"ca_file": None})
        self.assertFalse(server.state.exists())
        with self.assertRaises(ProcessLookupError):
            os.kill(server.pid, 0)


class S3Proxy(ServerCase, unittest.TestCase):
    kind = "s3proxy"


class Moto(ServerCase, unittest.TestCase):
    kind = "moto"


class VersityGw(ServerCase, unittest.TestCase):
    kind = "versitygw"


class Minio(ServerCase, unittest.TestCase):
    kind = "minio"


if __name__ == "__main__":
    unittest.main(verbosity=0)
