"""Real S3 servers for tests: started on loopback, stopped by pid, gone without a trace.

    with s3_servers.start("versitygw", buckets=["logs"]) as server:
        server.endpoint, server.access_key, server.secret_key, server.region, server.ca_file
        server.need("tags")             # skips where it stores none: nothing passes vacuously
        server.s3.keys("logs")          # boto3 reads back: s3_client.py

What is not installed skips the test, naming the server; where $CI is "true" it fails it. HONOURS
says what each server really does: s3_servers_test.py asks each server about every row.
"""

import base64
import json
import shutil
import unittest

from local_server import KEY_STORE_PASSWORD, LocalServer, free_port, need_installed
from s3_client import S3Client
from s3_install import RECIPES

INSTALLER = "s3_install.py"
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


class Server(LocalServer):
    """One server that runs. Attributes: see the module; `root`, where it keeps what it holds."""

    access_key = OWNER  # what versitygw takes for the owner
    role = f"arn:aws:iam::{OWNER}:role/device"
    kms_key = "edgehose-tests"
    knows_regions = True  # a bucket can be made in one

    def __init__(self, tls):
        super().__init__(tls)
        self.region, self.secret_key = REGION, SECRET_KEY
        self.installed = RECIPES[self.name].folder
        self.root = self.state / "root"
        self.root.mkdir()
        self.s3 = None

    # --- of each kind -----------------------------------------------------------------------------

    def set_up(self):
        """Once it answers."""

    # --- of all -----------------------------------------------------------------------------------

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

    def start(self):
        for _ in range(3):  # a port that was free may be gone by now
            self.port = free_port()
            self.spawn()
            if self.comes_up():
                break
            self.kill()
        else:
            self.give_up("ended three times while it started")
        self.s3 = S3Client({
            "endpoint": self.endpoint, "region": self.region, "ca_file": self.ca_file,
            "access_key": self.access_key, "secret_key": self.secret_key})
        self.set_up()

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

    def stop(self):
        if self.s3:
            self.s3.close()
        super().stop()


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
            properties["s3proxy.keystore-path"] = self.key_store()
            properties["s3proxy.keystore-password"] = KEY_STORE_PASSWORD
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


def start(name, *, tls=None, buckets=()):
    """A server that answers and has these buckets; see the module for one that is missing."""
    need_installed(INSTALLER, RECIPES, name, "moto")  # boto3 is in moto's environment
    server = KINDS[name](tls)
    try:
        server.start()
        for bucket in buckets:
            server.make_bucket(bucket)
    except BaseException:
        server.stop()
        raise
    return server
