"""AWS's own S3 Encryption Client for Java (S3ecClient.java), beside the agent's.

    with S3ecClient(server, "logs", key="private.der", writes="v3") as client:
        client.get("a.log.zst", path)      # opened
        client.put("b.log", path)          # encrypted
        client.finish()                    # has it done; Failed in the client's words

What it is made of is not in Debian, so s3_install.py fetches it; where it is missing the test is
skipped, or fails in CI, as with the servers.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from agent import Failed
from local_server import need_installed
from s3_install import RECIPES

NAME = "s3ec"
SOURCE = Path(__file__).with_name("S3ecClient.java")
SECONDS = 120  # a start of Java, and of all that it loads, on a busy machine


class S3ecClient:
    def __init__(self, server, bucket, key, writes="v3"):
        need_installed("s3_install.py", RECIPES, NAME)
        self.server, self.arguments, self.lines = server, [bucket, str(key), writes], []
        self.classes = tempfile.TemporaryDirectory(prefix="edgehose-s3ec-")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.classes.cleanup()

    def get(self, name, path):
        self.lines.append(f"get {name} {path}\n")

    def put(self, name, path):
        self.lines.append(f"put {name} {path}\n")

    def java(self, *arguments, **options):
        jars = ":".join(map(str, sorted((RECIPES[NAME].folder / "lib").glob("*.jar"))))
        flags = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        done = subprocess.run(["java", *flags, "-cp", f"{self.classes.name}:{jars}", *arguments],
                              capture_output=True, text=True, timeout=SECONDS, **options)
        if done.returncode != 0:
            told = done.stdout + done.stderr
            raise Failed(f"{arguments[0]}: exit code {done.returncode}:\n{told}")

    def finish(self):
        # A JRE has no compiler; Eclipse's is a jar like any other.
        jars = ":".join(map(str, sorted((RECIPES[NAME].folder / "lib").glob("*.jar"))))
        self.java("org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-proc:none", "-nowarn",
                  "-cp", jars, "-d", self.classes.name, str(SOURCE))
        server = self.server
        keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
        self.java("S3ecClient", server.endpoint, server.region, *self.arguments,
                  input="".join(self.lines), env={**os.environ, **keys})
        self.lines = []
