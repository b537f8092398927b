"""What a test reads objects back with: boto3, AWS's own client, and nothing of the agent's.

    with s3_servers.start("versitygw") as server:
        server.s3.call("create_bucket", Bucket="logs")
        server.s3.keys("logs")                       # every key, in order
        server.s3.head("logs", key)                  # every header, lower case
        server.s3.download("logs", folder)           # for check_lines
        server.s3.call("put_object", Bucket="logs", Key="k", Body=b"", who={"secret_key": "no"})

boto3 lives in an environment of its own (s3_install.py), so it runs as a process beside the test.
"""

import base64
import json
import subprocess
from pathlib import Path

from agent import Failed, die_with_parent
from s3_install import RECIPES


class Refused(Failed):
    """The server said no: `code` ("AccessDenied"; the number where it has no body), `status`."""

    def __init__(self, what, code, message, status):
        super().__init__(f"{what}: {status} {code}: {message}")
        self.code, self.status = code, status


def to_json(value):
    if isinstance(value, (bytes, bytearray)):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value)} cannot be sent to boto3")


def from_json(value):
    if set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return value


class S3Client:
    """`who` is told in s3_boto.py; each call may differ in parts of it."""

    def __init__(self, who):
        self.who = {"session_token": None, "ca_file": None, "style": "path", **who}
        self.process = None

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def ask(self, what, request, who):
        if not self.process:  # the first question: half a second
            python = RECIPES["moto"].folder / "bin/python"
            self.process = subprocess.Popen(
                [python, Path(__file__).with_name("s3_boto.py")], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        request = {"as": {**self.who, **(who or {})}, **request}
        self.process.stdin.write(json.dumps(request, default=to_json) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"boto3 ended while it was asked to {what}")
        answer = json.loads(line, object_hook=from_json)
        if "refused" in answer:
            raise Refused(what, **answer["refused"])
        if "failed" in answer:
            raise Failed(f"{what}: {answer['failed']}")
        return answer["answer"]

    # --- anything ---------------------------------------------------------------------------------

    def call(self, name, *, who=None, service="s3", **parameters):
        """A call of boto3's client by its name; its answer as boto3 gives it, or Refused."""
        return self.ask(name, {"service": service, "call": name, "with": parameters}, who)

    def raw(self, method, path, *, who=None, **request):
        """One request, signed and then spoilt (s3_boto.py): {status, headers, body}."""
        request = {"method": method, "path": path, **request}
        return self.ask(f"{method} {path}", {"raw": request}, who)

    # --- reading back -----------------------------------------------------------------------------

    def keys(self, bucket, prefix=""):
        found, more = [], {}
        while True:
            page = self.call("list_objects_v2", Bucket=bucket, Prefix=prefix, **more)
            found += [entry["Key"] for entry in page.get("Contents", [])]
            if not page.get("IsTruncated"):
                return sorted(found)
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def get(self, bucket, key, **options):
        return self.call("get_object", Bucket=bucket, Key=key, **options)["Body"]

    def head(self, bucket, key, **options):
        answer = self.call("head_object", Bucket=bucket, Key=key, **options)
        return answer["ResponseMetadata"]["HTTPHeaders"]

    def uploads(self, bucket, **options):
        """Multipart uploads that were neither completed nor aborted: (key, id) each."""
        answer = self.call("list_multipart_uploads", Bucket=bucket, **options)
        return [(u["Key"], u["UploadId"]) for u in answer.get("Uploads", [])]

    def download(self, bucket, folder, prefix="", **options):
        """Every object below `folder` by its key; the paths. A key that leaves it is Failed."""
        paths, folder = [], Path(folder).resolve()
        for key in self.keys(bucket, prefix):
            path = (folder / key).resolve()
            if folder not in path.parents:
                raise Failed(f"the key {key!r} is no path below a folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.get(bucket, key, **options))
            paths.append(path)
        return paths
