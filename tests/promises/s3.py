"""Exactly once into a bucket, over links and from servers that fail: against fault_server.py, which
does on command what real ones do on bad days. It checks no signature; those in s3_real.py do."""

import base64
import json
import re
import subprocess

import promise
import fault_client  # found by promise

SUPPORT = promise.SUPPORT
SECRET = "the/secret+key+of+this+test"
KEY = (r"^/telemetry/\d{4}/\d\d/\d\d/\d\d/app-\d{8}T\d{6}Z-gw-test-"
       r"[0-9a-f]{32}-\d{12}-\d{12}\.log\.zst$")


def error(code):
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>words</Message></Error>"


def refusal(status, code, **more):
    return {"do": "status", "status": status, "body": error(code), **more}


class FaultServer(fault_client.FaultServer):
    def __init__(self, *arguments):
        super().__init__("fault_server.py", *arguments)

    def faults(self, *faults):
        """What happens to the next uploads."""
        super().faults(*({"method": "PUT", "path": "/telemetry/", **fault} for fault in faults))

    def log(self, method="PUT"):
        return super().log(method)

    def download(self, directory):
        """What the bucket holds."""
        for path in {entry["path"] for entry in self.log()}:
            name = directory / path.removeprefix("/telemetry/")
            name.parent.mkdir(parents=True, exist_ok=True)
            name.write_bytes(self.get(path))


class Promise(promise.PromiseCase):
    def setUp(self):
        super().setUp()
        self.server = FaultServer()
        self.addCleanup(self.server.close)
        self.configure()

    def configure(self, archive=None, **options):
        """A sink "cloud" and, where it is said, a directory beside it."""
        keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}
        cloud = {"type": "s3", "path": None, "bucket": "telemetry", "region": "eu-west-1",
                 "endpoint": self.server.url, "credentials": keys, **options}
        beside = {} if archive is None else {"archive": archive}
        self.box.config(sinks={"cloud": cloud, **beside})

    def cloud(self):
        return self.sink(self.box.status(), "cloud")

    def delivered(self):
        """Everything that was written is in the bucket, once."""
        self.server.download(self.box.out)
        self.box.check("--in-order")

    def error_of_cloud(self, words):
        promise.wait_until(lambda: words in self.cloud()["last_error"], 10, f"status: {words}", 0.1)

    def test_lines_become_objects_that_the_standard_tools_read(self):
        self.configure(storage_class="STANDARD_IA", tags={"site": "north"}, create_only=True)
        self.box.log(lines=5000)
        self.box.run_once()
        self.delivered()
        for upload in self.server.log():
            headers = upload["headers"]
            self.assertRegex(upload["path"], KEY)
            self.assertEqual(headers["x-amz-storage-class"], "STANDARD_IA")
            self.assertEqual(headers["x-amz-tagging"], "site=north")
            self.assertEqual(headers["if-none-match"], "*")
            self.assertEqual(headers["x-amz-content-sha256"], upload["sha256"])
            self.assertIn("x-amz-checksum-crc64nvme", headers)
            self.assertRegex(headers["authorization"],
                             r"/eu-west-1/s3/aws4_request, SignedHeaders=\S+x-amz-tagging")

    def test_every_rendering_goes_up(self):
        recipient = self.box.age_recipient()
        self.box.log(lines=3000)
        for options in ({"compression": "gzip"}, {"compression": "none", "format": "ndjson"},
                        {"compression": "gzip", "encrypt": {"age": [recipient]}},
                        {"encrypt": {"age": [recipient]}}):
            with self.subTest(options):
                self.configure(batch={"max_size": "4MiB", "max_age": "1s"}, **options)
                self.box.run_once()
                self.delivered()
                subprocess.run(["rm", "-rf", self.box.out, self.box.data], check=True)
                self.box.out.mkdir()
                self.server.close()
                self.server = FaultServer()
                self.addCleanup(self.server.close)

    def test_a_captive_portal_is_not_delivery(self):
        self.server.faults(
            {"do": "status", "status": 200, "body": "<html>Welcome</html>", "times": 2},
            {"do": "status", "status": 302, "headers": {"Location": "http://login/"}})
        self.box.log(lines=200)
        self.box.run_once()
        self.delivered()
        self.assertEqual(len(self.server.log()), 4)

    def test_a_lost_answer_is_repeated_under_the_same_key(self):
        self.configure(create_only=True)
        self.server.faults({"do": "lost"}, refusal(412, "PreconditionFailed"))
        self.box.log(lines=200)
        self.box.run_once()
        first, second = self.server.log()
        self.assertEqual((first["path"], first["sha256"]), (second["path"], second["sha256"]))
        self.assertEqual([head["path"] for head in self.server.log("HEAD")], [first["path"]])
        self.delivered()

    def refused_after_a_lost_answer(self, refused):
        """Killed when its object is there, and then refused under another config or proxy."""
        self.configure(retry={"initial": "1h", "max": "1h"})
        self.server.faults({"do": "lost"})
        self.box.log(lines=200)
        agent = self.box.start()
        promise.wait_until(lambda: self.cloud()["last_error"], 10, "the answer is lost", 0.1)
        agent.kill()
        self.configure()
        self.server.faults(refused)
        self.box.run_once()
        self.delivered()
        self.assertEqual(len(self.server.log("HEAD")), 1)
        self.assertEqual(self.sink(self.box.status(), "cloud")["dead_lettered"]["records"], 0)

    def test_what_arrived_before_is_not_halved(self):
        self.refused_after_a_lost_answer(refusal(413, "EntityTooLarge"))

    def test_what_arrived_before_is_no_dead_letter(self):
        self.refused_after_a_lost_answer(refusal(400, "InvalidStorageClass"))

    def test_links_and_servers_that_fail_lose_and_double_nothing(self):
        self.configure(concurrency=3)
        bad = [refusal(503, "SlowDown"), {"do": "reset", "after": 1000}, {"do": "lost"},
               {"do": "short"}, {"do": "garbage"}, refusal(500, "InternalError"),
               {**refusal(503, "ServiceUnavailable"), "do": "early"}, refusal(400, "BadDigest")]
        self.server.faults(*bad * 2)
        self.box.log(lines=20000)
        self.box.run_once(timeout=60)
        self.delivered()
        self.assert_bounded_log()

    def test_a_refusal_for_a_person_parks_loudly_and_keeps_everything(self):
        self.server.faults(refusal(403, "AccessDenied", times=99))
        self.box.log(lines=200)
        agent = self.box.start()
        self.error_of_cloud("s3:PutObject")
        self.assertEqual(self.cloud()["state"], "parked")
        self.assertEqual(len(self.server.log()), 1, "probed, not hammered")
        agent.stop()
        self.server.faults()
        self.box.run_once()
        self.delivered()

    def test_what_every_batch_is_refused_for_does_not_drain_the_stream(self):
        self.server.faults(refusal(400, "InvalidStorageClass", times=999))
        self.configure(batch={"max_size": "4KiB", "max_age": "1s"}, concurrency=1)
        self.box.log(lines=40000)
        agent = self.box.start()
        self.error_of_cloud("10 batches in a row were refused whole")
        agent.stop()
        listed = self.box.call("dead-letters", "list")
        self.assertIn("InvalidStorageClass", listed.stdout)
        self.server.faults()
        self.box.run_once(timeout=60)
        status = self.sink(self.box.status(), "cloud")
        self.assertGreater(status["delivered"]["records"], status["dead_lettered"]["records"])

    def test_the_buckets_own_region_is_asked_from_then_on(self):
        self.server.faults(refusal(301, "PermanentRedirect",
                                   headers={"x-amz-bucket-region": "ap-south-1"}))
        self.box.log(lines=200)
        self.box.run_once()
        first, second = self.server.log()
        self.assertIn("/eu-west-1/s3/", first["headers"]["authorization"])
        self.assertIn("/ap-south-1/s3/", second["headers"]["authorization"])
        self.delivered()
        self.box.log(lines=200, first=200, append=True, manifest=self.box.root / "more")
        self.box.run_once()
        third = self.server.log()[2]
        self.assertIn("/ap-south-1/s3/", third["headers"]["authorization"], "remembered")
        self.assertRegex(self.box.agent_log.read_text(), r'Set region = "ap-south-1"')

    def test_a_dead_bucket_delays_no_directory(self):
        self.server.faults({"do": "deaf", "times": 99})
        self.configure(archive={})
        self.box.log(lines=2000)
        agent = self.box.start()
        self.box.delivered(2000)
        self.assertLess(agent.stop(), 5)

    def test_no_secret_is_told(self):
        """Whether the service refuses, the proxy does, or nobody is there."""
        subprocess.run(["bash", SUPPORT / "make_certs.sh", self.box.root], check=True)
        self.server.close()
        self.server = FaultServer("--tls", self.box.root / "server.pem",
                                  self.box.root / "server.key")
        self.addCleanup(self.server.close)
        token, password = "the/token+of+this+session", "S3cr#t of/the@proxy"
        key = base64.b64encode(bytes(range(100, 132))).decode()
        proxy = FaultServer("--proxy", f"edge:{password}")
        self.addCleanup(proxy.close)

        def file(name, text):
            path = self.box.root / name
            path.write_text(text)
            path.chmod(0o600)
            return {"file": path}

        def through(password):
            keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET,
                    "session_token": token}
            self.configure(
                credentials=keys, tls={"ca_file": self.box.root / "ca.pem"},
                proxy={"url": proxy.url, "user": "edge",
                       "password": file("password", password)},
                server_side_encryption={"type": "customer",
                                        "customer_key": file("customer.key", key)})

        told = ""
        self.server.faults(refusal(403, "SignatureDoesNotMatch", times=99))
        self.box.log(lines=200)
        for secret, words in ((password, "SignatureDoesNotMatch"), (password[1:], "407"),
                              (password, "connect")):
            through(secret)
            if words == "connect":
                proxy.close()
            agent = self.box.start()
            self.error_of_cloud(words)
            told += json.dumps(self.box.status())
            agent.stop()
            for command in (("check",), ("check", "--connect"), ("status",), ("buffer", "list")):
                result = self.box.call(*command)
                told += result.stdout + result.stderr
        told += self.box.agent_log.read_text()
        sent = self.server.log()[0]["headers"]
        self.assertEqual(sent["x-amz-security-token"], token)
        self.assertEqual(sent["x-amz-server-side-encryption-customer-key"], key)
        for secret in (SECRET, token, key, password, password[1:]):
            self.assertNotIn(secret, told)

    def test_check_shows_where_objects_go_and_what_is_wrong(self):
        good = self.box.call("check")
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertRegex(good.stdout, r"s3://telemetry/\d{4}/\d\d/")
        self.configure(storage_class="STANDRAD_IA", bucket="Tele/metry",
                       server_side_encryption={"type": "kms-dse"})
        bad = self.box.call("check")
        self.assertEqual(bad.returncode, 2)
        for words in (r":\d+:\d+: storage_class: .*STANDARD_IA",
                      r":\d+:\d+: type: .*kms-dsse",
                      r":\d+:\d+: bucket: .*no bucket's name"):
            self.assertTrue(re.search(words, bad.stderr), f"{words} in:\n{bad.stderr}")


if __name__ == "__main__":
    promise.main()
