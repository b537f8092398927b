"""Objects of the S3 Encryption Client: AWS's own client opens ours, and `edgehose decrypt` its."""

import json
import subprocess

import promise
import s3_servers  # found by promise
from s3ec_client import S3ecClient

BUCKET = "telemetry"
LINES = 20000
PREFIX = "logs/!{timestamp:yyyy}/"


class Promise(promise.PromiseCase):
    def setUp(self):
        super().setUp()
        self.private, self.der = self.box.root / "private.pem", self.box.root / "private.der"
        self.public, self.aes = self.box.root / "public.pem", self.box.root / "aes.key"

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def rsa_keys(self):
        self.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out",
                     self.private)
        self.openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)
        self.openssl("pkcs8", "-topk8", "-nocrypt", "-in", self.private, "-outform", "DER", "-out",
                     self.der)
        return {"rsa_public_key": {"file": self.public}}

    def aes_key(self):
        self.openssl("rand", "-out", self.aes, "32")
        self.aes.chmod(0o600)
        return {"aes_key": {"file": self.aes}}

    def deliver(self, keys, form, lines=LINES, **options):
        server = s3_servers.start("s3proxy", buckets=[BUCKET])
        self.addCleanup(server.stop)
        encrypt = {"s3ec": keys, **({} if form == "v3" else {"format": form})}
        # Larger than what is kept in memory: encrypted twice, under one key.
        large = {"compression": "none", "batch": {"max_size": "64MiB", "max_age": "1s"}}
        self.box.config(sinks={"cloud": server.sink(
            BUCKET, encrypt=encrypt, prefix=PREFIX, metadata={"site": "north"}, **large,
            **options)})
        self.box.log(lines=lines)
        self.box.run_once(timeout=60)
        return server

    def empty_out(self):
        subprocess.run(["rm", "-rf", self.box.out], check=True)
        self.box.out.mkdir()

    def metadata(self, server, key):
        """What `aws s3api head-object` prints."""
        path = self.box.root / "head.json"
        answer = server.s3.call("head_object", Bucket=BUCKET, Key=key)
        path.write_text(json.dumps(answer, default=str))
        return path

    def decrypt(self, stored, head, secret, output):
        done = self.box.call_plain("decrypt", "--s3ec-key", secret, "--metadata", head, "--output",
                                   output, stored)
        self.assertEqual(done.returncode, 0, done.stderr)

    def there_and_back(self, keys, form, theirs, ours, **options):
        """`theirs` and `ours`: the file of the secret key as either client takes it."""
        server = self.deliver(keys, form, **options)
        names = server.s3.keys(BUCKET)
        stored = server.s3.download(BUCKET, self.box.root / "stored")
        self.assertNotIn(b"plant/north", b"".join(path.read_bytes() for path in stored))

        # Ours, opened by ours.
        for name, path in zip(names, stored):
            self.decrypt(path, self.metadata(server, name), ours, self.box.out)
        self.box.check("--in-order")
        self.empty_out()

        # Ours, opened by theirs; and one of theirs.
        mine = self.box.root / "mine"
        mine.write_bytes(b"one line\n" * 100_000)
        with S3ecClient(server, BUCKET, theirs, form) as client:
            for name, path in zip(names, stored):
                client.get(name, self.box.out / path.name)
            client.put("theirs.log", mine)
            client.finish()
        self.box.check("--in-order")

        # Theirs, opened by ours.
        sealed = self.box.root / "sealed"
        sealed.write_bytes(server.s3.get(BUCKET, "theirs.log"))
        self.assertNotIn(b"one line", sealed.read_bytes())
        self.decrypt(sealed, self.metadata(server, "theirs.log"), ours, self.box.root / "opened")
        self.assertEqual((self.box.root / "opened").read_bytes(), mine.read_bytes())
        return server

    def test_rsa_v3(self):
        server = self.there_and_back(self.rsa_keys(), "v3", self.der, self.private)
        head = server.s3.head(BUCKET, server.s3.keys(BUCKET)[0])
        self.assertEqual(head["x-amz-meta-site"], "north")
        self.assertEqual(head["x-amz-meta-x-amz-w"], "22")

    def test_an_object_in_parts(self):
        server = self.there_and_back(self.rsa_keys(), "v3", self.der, self.private, lines=50_000,
                                     part_size="5MiB")
        head = server.s3.head(BUCKET, server.s3.keys(BUCKET)[0])
        self.assertRegex(head["etag"], r"-\d+\W*$", "it did not go up in parts")

    def test_rsa_v2(self):
        self.there_and_back(self.rsa_keys(), "v2", self.der, self.private)

    def test_aes_v3(self):
        self.there_and_back(self.aes_key(), "v3", self.aes, self.aes)

    def test_aes_v2(self):
        self.there_and_back(self.aes_key(), "v2", self.aes, self.aes)

    def test_a_key_that_is_gone_parks_until_it_is_back(self):
        """What was cut for a key goes out under it, or waits: never plain, never lost."""
        server = s3_servers.start("s3proxy")
        self.addCleanup(server.stop)
        keys = self.aes_key()
        def configure():
            self.box.config(sinks={"cloud": server.sink(BUCKET, encrypt={"s3ec": keys})})
        configure()
        self.box.log(lines=200)
        agent = self.box.start()
        def told(words):
            return lambda: words in self.sink(self.box.status(), "cloud")["last_error"]
        promise.wait_until(told("NoSuchBucket"), 20, "a claim is cut and waits for its bucket", 0.1)
        agent.kill()
        away, rsa = self.aes.rename(self.box.root / "away"), self.rsa_keys()
        self.box.config(sinks={"cloud": server.sink(BUCKET, encrypt={"s3ec": rsa})})
        server.make_bucket(BUCKET)
        agent = self.box.start()
        promise.wait_until(told("aes_key"), 20, "the missing key is told", 0.1)
        agent.stop()
        self.assertEqual(server.s3.keys(BUCKET), [])
        away.rename(self.aes)
        self.box.run_once()
        stored = server.s3.download(BUCKET, self.box.root / "stored")
        for name, path in zip(server.s3.keys(BUCKET), stored):
            self.decrypt(path, self.metadata(server, name), self.aes, self.box.out)
        self.box.check("--in-order")


if __name__ == "__main__":
    promise.main()
