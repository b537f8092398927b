"""Real S3 servers for tests: started on loopback, stopped by pid, gone without a trace.

    with s3_servers.start("versitygw", buckets=["logs"]) as server:
        server.endpoint, server.access_key, server.secret_key, server.region, server.ca_file
        server.need("tags")             # skips where it stores none: nothing passes vacuously
        server.s3.keys("logs")          # boto3 reads back: s3_client.py

What is not installed skips the test, naming the server; where $CI is "true" it fails it. HONOURS
says what each server really does: s3_servers_test.py asks each server about every row.
"""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from agent import Failed, die_with_parent
from s3_client import S3Client
from s3_install import IN_CI, RECIPES

START_SECONDS = 60  # a Java server on a busy machine
STOP_SECONDS = 5
REGION = "eu-central-1"
OWNER = "123456789012"  # of every bucket
SECRET_KEY = "a/secret+key/of/the/tests/and/nothing/else"
DOMAIN = "s3.localhost"  # bucket.s3.localhost: virtual hosts

# What a server stores and tells again, or checks and refuses where it is wrong. The names are those
# of the probes in s3_probes.py, which say what each means.
ALL = {"signature", "metadata", "content_headers", "create_only", "create_only_multipart",
       "multipart", "uploads_listed"}
CHECKSUMS = {"checksum_crc64nvme", "checksum_crc32c", "checksum_sha256", "checksum_kept"}
LOCKS = {"object_lock", "object_lock_enforced", "legal_hold"}
HONOURS = {
    "s3proxy": ALL | CHECKSUMS | {"body_hash", "clock_skew", "storage_classes"},
    "moto": ALL | LOCKS | {
        "session_token", "virtual_host", "storage_classes", "tags", "sse_s3", "sse_kms",
        "sse_kms_dsse", "sse_kms_bucket_key"},
    "versitygw": ALL | CHECKSUMS | LOCKS | {
        "signed_headers", "body_hash", "region", "clock_skew", "bucket_owner", "virtual_host",
        "tags", "part_after_abort"},
    "minio": ALL | CHECKSUMS | LOCKS | {
        "session_token", "body_hash", "region", "clock_skew", "virtual_host", "tags", "sse_s3",
        "sse_kms", "sse_c", "part_after_abort"},
}


class Server:
    """One server that runs. Attributes: see the module; `port`, `pid`, `state` (its directory)."""

    name = ""
    access_key = OWNER  # what versitygw takes for the owner
    role = f"arn:aws:iam::{OWNER}:role/device"
    kms_key = "edgehose-tests"
    tls = False  # unless asked for
    knows_regions = True  # a bucket can be made in one

    def __init__(self, tls):
        self.tls = self.tls if tls is None else tls
        self.region, self.secret_key = REGION, SECRET_KEY
        self.installed = RECIPES[self.name].folder
        self.state = Path(tempfile.mkdtemp(prefix=f"edgehose-{self.name}-"))
        self.log, self.root = self.state / "log", self.state / "root"
        self.root.mkdir()
        self.ca_file, self.certificates = None, self.state / "certs"
        self.certificate = self.certificates / "server.pem"
        self.key = self.certificates / "server.key"
        if self.tls:
            self.certificates.mkdir()
            make_certs = Path(__file__).with_name("make_certs.sh")
            subprocess.run(["bash", make_certs, self.certificates], check=True)
            self.ca_file = str(self.certificates / "ca.pem")
        self.process = None
        self.s3 = None

    # --- of each kind -----------------------------------------------------------------------------

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def prepare(self):
        """Before it starts; the port is known."""

    def set_up(self):
        """Once it answers."""

    # --- of all -----------------------------------------------------------------------------------

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def scheme(self):
        return "https" if self.tls else "http"

    @property
    def endpoint(self):
        return f"{self.scheme}://{self.host}"

    @property
    def virtual_endpoint(self):
        """Where BUCKET. may be put in front of the host."""
        return f"{self.scheme}://{DOMAIN}:{self.port}"

    @property
    def honours(self):
        return HONOURS[self.name]

    def need(self, *what):
        """Skips the test where one of these is not honoured here."""
        for one in what:
            if one not in self.honours:
                raise unittest.SkipTest(f"{self.name} does not honour {one}")

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        for _ in range(3):  # a port that was free may be gone by now
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            self.prepare()
            with open(self.log, "wb") as log:
                self.process = subprocess.Popen(
                    [str(part) for part in self.command()], stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, cwd=self.state, env={**os.environ, **self.environment()},
                    preexec_fn=die_with_parent)
            if self.answers():
                break
            self.kill()
        else:
            self.give_up("ended three times while it started")
        self.s3 = S3Client({
            "endpoint": self.endpoint, "region": self.region, "ca_file": self.ca_file,
            "access_key": self.access_key, "secret_key": self.secret_key})
        self.set_up()

    def answers(self):
        """True once it speaks HTTP; false where its process ended."""
        end = time.monotonic() + START_SECONDS
        while self.alive():
            try:
                connection = self.connect()
                connection.request("GET", "/")
                connection.getresponse().read()
                connection.close()
                return self.alive()
            except (OSError, http.client.HTTPException):
                if time.monotonic() > end:
                    self.give_up(f"does not answer after {START_SECONDS} s")
                time.sleep(0.02)
        return False

    def connect(self):
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        context = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)

    def give_up(self, why):
        last = self.log.read_text(errors="replace").splitlines()[-15:]
        raise Failed("\n  ".join([f"{self.name} {why}; its last lines:", *last]))

    def make_bucket(self, name, **options):
        if self.knows_regions:
            options["CreateBucketConfiguration"] = {"LocationConstraint": self.region}
        self.s3.call("create_bucket", Bucket=name, **options)

    def sink(self, bucket, port=None, **options):
        """A sink's table for Sandbox.config(); `port` of a relay before this server."""
        keys = {"access_key_id": self.access_key, "secret_access_key": self.secret_key}
        return {"type": "s3", "path": None, "bucket": bucket, "region": self.region,
                "endpoint": f"{self.scheme}://127.0.0.1:{port or self.port}", "credentials": keys,
                "tls": {"ca_file": self.ca_file} if self.tls else None, **options}

    def temporary_credentials(self):
        """Keys and token of an assumed role; Refused where the server knows none."""
        answer = self.s3.call("assume_role", service="sts", RoleArn=self.role, RoleSessionName="t1")
        keys = answer["Credentials"]
        return {"access_key": keys["AccessKeyId"], "secret_key": keys["SecretAccessKey"],
                "session_token": keys["SessionToken"]}

    def kill(self):
        """SIGKILL."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.s3:
            self.s3.close()
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.state, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()


class S3Proxy(Server):
    name = "s3proxy"
    knows_regions = False

    def prepare(self):
        properties = {
            f"s3proxy.{'secure-' if self.tls else ''}endpoint": self.endpoint,
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": self.access_key,
            "s3proxy.credential": self.secret_key,
            "s3proxy.maximum-timeskew": 900,
            "jclouds.provider": "filesystem-nio2",
            "jclouds.filesystem.basedir": self.root,
        }
        if self.tls:
            store = self.certificates / "server.p12"
            subprocess.run(["openssl", "pkcs12", "-export", "-in", self.certificate, "-inkey",
                            self.key, "-out", store, "-passout", "pass:tests"], check=True)
            properties["s3proxy.keystore-path"] = store
            properties["s3proxy.keystore-password"] = "tests"
        lines = [f"{name}={value}\n" for name, value in properties.items()]
        (self.state / "properties").write_text("".join(lines))

    def command(self):
        return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-cp", f"{self.installed}/lib/*", "org.gaul.s3proxy.Main",
                "--properties", self.state / "properties"]


class Moto(Server):
    name = "moto"
    ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    POLICY = json.dumps({"Version": "2012-10-17", "Statement": [ANYTHING]})

    def command(self):
        command = [self.installed / "bin/python", "-m", "moto.server", "-H", "127.0.0.1"]
        command += ["-p", self.port]
        return command + (["-c", self.certificate, "-k", self.key] if self.tls else [])

    def environment(self):
        return {"PYTHONDONTWRITEBYTECODE": "1"}

    def set_up(self):
        """A user whose keys are known to it; from then on it asks for them."""
        def iam(name, **parameters):
            return self.s3.call(name, service="iam", **parameters)
        iam("create_user", UserName="device")
        iam("put_user_policy", UserName="device", PolicyName="all", PolicyDocument=self.POLICY)
        iam("create_role", RoleName="device", AssumeRolePolicyDocument=self.POLICY)
        iam("put_role_policy", RoleName="device", PolicyName="all", PolicyDocument=self.POLICY)
        self.kms_key = self.s3.call("create_key", service="kms")["KeyMetadata"]["Arn"]
        key = iam("create_access_key", UserName="device")["AccessKey"]
        self.access_key, self.secret_key = key["AccessKeyId"], key["SecretAccessKey"]
        self.s3.who.update(access_key=self.access_key, secret_key=self.secret_key)
        connection = self.connect()
        connection.request("POST", "/moto-api/reset-auth", "0", {"Content-Type": "text/plain"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            self.give_up(f"does not check signatures: reset-auth answered {answer.status}")


class VersityGw(Server):
    name = "versitygw"

    def command(self):
        command = [self.installed / "versitygw", "--port", self.host, "--region", self.region,
                   "--access", self.access_key, "--secret", self.secret_key, "--keep-alive",
                   "--health", "/health", "--virtual-domain", f"{DOMAIN}:{self.port}"]
        if self.tls:
            command += ["--cert", self.certificate, "--key", self.key]
        versions = self.state / "versions"
        versions.mkdir(exist_ok=True)
        # Absolute paths: it changes directory.
        return [*command, "posix", "--versioning-dir", versions, self.root]


class Minio(Server):
    name = "minio"
    tls = True  # without it no SSE-C

    def prepare(self):
        if self.tls:
            shutil.copy(self.certificate, self.certificates / "public.crt")
            shutil.copy(self.key, self.certificates / "private.key")

    def command(self):
        return [self.installed / "minio", "server", "--quiet", "--address", self.host,
                "--console-address", "127.0.0.1:0", "--certs-dir", self.certificates, self.root]

    def environment(self):
        key = base64.b64encode(bytes(range(32))).decode()
        return {"MINIO_ROOT_USER": self.access_key, "MINIO_ROOT_PASSWORD": self.secret_key,
                "MINIO_SITE_REGION": self.region, "MINIO_DOMAIN": DOMAIN, "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off", "MINIO_KMS_SECRET_KEY": f"{self.kms_key}:{key}"}


KINDS = {kind.name: kind for kind in (S3Proxy, Moto, VersityGw, Minio)}


def need_installed(*names):
    """Skips the test where one is missing, loudly; fails it in CI."""
    for needed in names:
        if not RECIPES[needed].is_there():
            why = (f"MISSING: {needed} is not installed: python3 tests/support/s3_install.py "
                   "does it, or says why not")
            print(why, file=sys.stderr)  # a skip's reason is shown nowhere else
            raise Failed(why) if IN_CI else unittest.SkipTest(why)


def start(name, *, tls=None, buckets=()):
    """A server that answers and has these buckets; see the module for one that is missing."""
    need_installed(name, "moto")  # boto3 is in moto's environment
    server = KINDS[name](tls)
    try:
        server.start()
        for bucket in buckets:
            server.make_bucket(bucket)
    except BaseException:
        server.stop()
        raise
    return server
