"""Into real buckets: what the agent uploads, AWS's own client reads back. Each server is asked for
what it honours (s3_servers.py), so that nothing passes at one that does not look."""

import base64
import hashlib
import shutil
import subprocess
import time

import promise
import s3_probes
import s3_servers  # found by promise

BUCKET = "telemetry"
LINES = 20000


class Promise(promise.PromiseCase):
    def start(self, name, **options):
        server = s3_servers.start(name, **options)
        self.addCleanup(server.stop)
        return server

    def configure(self, server, bucket=BUCKET, **options):
        self.box.config(sinks={"cloud": {**server.sink(bucket), **options}})

    def deliver(self, server, bucket, reading=None, made=None, **options):
        """Everything that is read goes up, and comes back as it was. What S3 says of one object."""
        server.make_bucket(bucket, **(made or {}))
        self.configure(server, bucket, **options)
        self.forget()
        self.box.run_once(timeout=60)
        server.s3.download(bucket, self.box.out, **(reading or {}))
        self.box.check("--in-order")
        return server.s3.head(bucket, server.s3.keys(bucket)[0], **(reading or {}))

    def forget(self):
        """What was read and delivered."""
        subprocess.run(["rm", "-rf", self.box.out, self.box.data], check=True)
        self.box.out.mkdir()

    def everything(self, server):
        """All renderings, and every option that the server honours."""
        self.connects(server)
        self.box.log(lines=LINES)
        self.renderings(server)
        self.integrity(server)
        self.how_it_is_kept(server)
        self.who_asks_and_where(server)

    def connects(self, server):
        """What check --connect says is so, and it leaves nothing: no object, no upload."""
        server.make_bucket("asked")
        self.configure(server, "asked")
        asked = self.box.call("check", "--connect")
        self.assertEqual(asked.returncode, 0, asked.stdout + asked.stderr)
        self.assertIn("nothing is left behind", asked.stdout)
        self.assertEqual(server.s3.keys("asked"), [])
        left = server.s3.call("list_multipart_uploads", Bucket="asked")
        self.assertEqual(left.get("Uploads", []), [])
        self.configure(server, "no-such-bucket")
        asked = self.box.call("check", "--connect")
        self.assertEqual(asked.returncode, 1, asked.stdout + asked.stderr)
        self.assertIn("NoSuchBucket", asked.stderr)

    def renderings(self, server):
        self.deliver(server, "zstd-lines", prefix="site=north/!{timestamp:yyyy/MM/dd}/")
        self.deliver(server, "gzip-ndjson", compression="gzip", format="ndjson")
        # Larger than what is kept in memory: made again while it is sent, also encrypted.
        large = {"compression": "none", "batch": {"max_size": "64MiB", "max_age": "1s"}}
        self.deliver(server, "plain", **large)
        self.deliver(server, "encrypted", encrypt={"age": [self.box.age_recipient()]}, **large)
        self.box.identity = None

    def integrity(self, server):
        for kind in ("crc64nvme", "crc32c", "sha256"):
            if f"checksum_{kind}" in server.honours:
                self.checksum(server, kind)
        self.deliver(server, "no-checksum", checksum="none")

    def checksum(self, server, kind):
        """What the agent sent is what the server tells."""
        bucket = f"with-{kind}"
        head = self.deliver(server, bucket, checksum=kind, reading={"ChecksumMode": "ENABLED"})
        if "checksum_kept" in server.honours:
            told = head[f"x-amz-checksum-{kind}"]
            self.assertEqual(len(base64.b64decode(told)), s3_probes.CHECKSUMS[kind.upper()])
        if "checksum_kept" in server.honours and kind == "sha256":
            body = server.s3.get(bucket, server.s3.keys(bucket)[0])
            self.assertEqual(base64.b64decode(told), hashlib.sha256(body).digest())

    def how_it_is_kept(self, server):
        head = self.deliver(server, "metadata", metadata={"site": "north pole"})
        self.assertEqual(head["x-amz-meta-site"], "north pole")
        if "tags" in server.honours:
            tags = {"site": "north pole", "a+b": "c/d=e"}
            self.deliver(server, "tagged", tags=tags)
            key = server.s3.keys("tagged")[0]
            kept = server.s3.call("get_object_tagging", Bucket="tagged", Key=key)["TagSet"]
            self.assertEqual({tag["Key"]: tag["Value"] for tag in kept}, tags)
        if "content_headers" in server.honours:
            head = self.deliver(server, "typed", content_type="text/x-log", content_encoding="zstd")
            self.assertEqual(head["content-type"], "text/x-log")
            self.assertEqual(head["content-encoding"], "zstd")
        for name in s3_probes.CLASSES if "storage_classes" in server.honours else ():
            self.storage_class(server, name)
        lockable = {"ObjectLockEnabledForBucket": True}
        if "object_lock" in server.honours:
            head = self.deliver(server, "locked", made=lockable,
                                object_lock={"mode": "governance", "retain": "1d"})
            self.assertEqual(head["x-amz-object-lock-mode"], "GOVERNANCE")
        if "legal_hold" in server.honours:
            head = self.deliver(server, "held", made=lockable, object_lock={"legal_hold": True})
            self.assertEqual(head["x-amz-object-lock-legal-hold"], "ON")
        self.encrypted_there(server)

    def storage_class(self, server, name):
        """Only told: what is in an archive is not read at once."""
        bucket = name.lower().replace("_", "-")
        server.make_bucket(bucket)
        self.configure(server, bucket, storage_class=name)
        self.forget()
        self.box.run_once(timeout=60)
        told = {server.s3.head(bucket, key)["x-amz-storage-class"]
                for key in server.s3.keys(bucket)}
        self.assertEqual(told, {name})

    def encrypted_there(self, server):
        kms = {"type": "kms", "kms_key": server.kms_key}
        told = "x-amz-server-side-encryption"
        for what, options, header, says in (
                ("sse_s3", {"type": "s3"}, told, "AES256"),
                ("sse_kms", kms, told, "aws:kms"),
                ("sse_kms_dsse", {**kms, "type": "kms-dsse"}, told, "aws:kms:dsse"),
                ("sse_kms_bucket_key", {**kms, "bucket_key": True},
                 f"{told}-bucket-key-enabled", "true")):
            if what in server.honours:
                bucket = what.replace("_", "-")
                head = self.deliver(server, bucket, server_side_encryption=options)
                self.assertEqual(head[header].lower(), says.lower())
        if "sse_c" in server.honours:
            key = self.box.root / "customer.key"
            key.write_bytes(bytes(range(32)))
            key.chmod(0o600)
            head = self.deliver(
                server, "sse-c", create_only=True,
                server_side_encryption={"type": "customer", "customer_key": {"file": key}},
                reading={"SSECustomerAlgorithm": "AES256",
                         "SSECustomerKey": bytes(range(32)).decode()})
            self.assertEqual(head["x-amz-meta-edgehose-sse-c-key-id"],
                             hashlib.sha256(bytes(range(32))).hexdigest()[:16])

    def who_asks_and_where(self, server):
        if "bucket_owner" in server.honours:
            self.deliver(server, "owned", expected_bucket_owner=s3_servers.OWNER)
        if "session_token" in server.honours:
            keys = server.temporary_credentials()
            self.deliver(server, "temporary", credentials={
                "access_key_id": keys["access_key"], "secret_access_key": keys["secret_key"],
                "session_token": keys["session_token"]})
        if "virtual_host" in server.honours and not server.tls:
            self.deliver(server, "in-the-host", endpoint=server.virtual_endpoint,
                         addressing="virtual")

    def test_s3proxy(self):
        self.everything(self.start("s3proxy"))

    def test_moto(self):
        self.everything(self.start("moto"))

    def test_versitygw(self):
        self.everything(self.start("versitygw"))

    def test_versitygw_over_tls(self):
        server = self.start("versitygw", tls=True)
        self.box.log(lines=LINES)
        self.deliver(server, BUCKET)

    def test_minio(self):
        self.everything(self.start("minio"))

    def refused(self, server, words, **options):
        """Parked, told, and kept; delivered when it is put right."""
        server.make_bucket(BUCKET)
        self.configure(server, **options)
        self.box.log(lines=200)
        agent = self.box.start()
        def told():
            return words in self.sink(self.box.status(), "cloud")["last_error"]
        promise.wait_until(told, 10, words, 0.1)
        self.assertEqual(self.sink(self.box.status(), "cloud")["state"], "parked")
        agent.stop()
        self.configure(server)
        self.box.run_once()
        server.s3.download(BUCKET, self.box.out)
        self.box.check("--in-order")

    def test_a_wrong_key_parks_until_it_is_right(self):
        server = self.start("versitygw")
        keys = {"access_key_id": server.access_key, "secret_access_key": "another"}
        self.refused(server, "SignatureDoesNotMatch", credentials=keys)

    def test_a_bucket_that_is_missing_parks_until_it_is_right(self):
        self.refused(self.start("versitygw"), "NoSuchBucket", bucket="no-such-bucket")

    def test_a_wrong_region_is_put_right(self):
        server = self.start("minio")
        server.make_bucket(BUCKET)
        self.configure(server, region="eu-west-9")
        self.box.log(lines=200)
        self.box.run_once()
        server.s3.download(BUCKET, self.box.out)
        self.box.check("--in-order")

    def test_a_bucket_of_another_owner_parks_until_it_is_right(self):
        self.refused(self.start("versitygw"), "AccessDenied", expected_bucket_owner="999999999999")

    def test_a_name_that_is_taken(self):
        """create_only: the object of an earlier attempt, whose answer the agent never saw, is its
        own; another's is not replaced. Both are left as they are."""
        self.box.log(lines=200)
        for name in s3_servers.KINDS:
            with self.subTest(name):
                self.taken(self.start(name, buckets=[BUCKET]))

    def taken(self, server):
        self.forget()
        self.configure(server, create_only=True, endpoint=f"{server.scheme}://127.0.0.1:1")
        agent = self.box.start()
        promise.wait_until(lambda: self.sink(self.box.status(), "cloud")["last_error"], 10,
                           "its batch is claimed, and nobody is there", 0.1)
        agent.kill()
        unanswered = self.box.root / "unanswered"
        shutil.rmtree(unanswered, ignore_errors=True)
        shutil.copytree(self.box.data, unanswered)
        self.configure(server, create_only=True)
        self.box.run_once()
        key, = server.s3.keys(BUCKET)
        stored = server.s3.head(BUCKET, key)["last-modified"]
        time.sleep(1.1)  # it tells seconds

        self.restore(unanswered)
        self.box.run_once()
        self.assertEqual(server.s3.head(BUCKET, key)["last-modified"], stored, "it was replaced")
        server.s3.download(BUCKET, self.box.out)
        self.box.check("--in-order")

        server.s3.call("put_object", Bucket=BUCKET, Key=key, Body=b"another's")
        self.restore(unanswered)
        agent = self.box.start()
        promise.wait_until(lambda: "is taken by an object of other bytes" in
                           self.sink(self.box.status(), "cloud")["last_error"], 10, "it is told", 0.1)
        agent.stop()
        self.assertEqual(server.s3.get(BUCKET, key), b"another's")

    def restore(self, data):
        shutil.rmtree(self.box.data)
        shutil.copytree(data, self.box.data)


if __name__ == "__main__":
    promise.main()
