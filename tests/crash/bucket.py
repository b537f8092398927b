"""A real server's bucket as the destination of kill9.py: where objects go, when something happened
there, and what is left there at the end."""
import os

import agent
import s3_servers

# Those that keep what they hold in files below their root, which tell when something arrived.
SERVERS = sorted(s3_servers.KINDS.keys() - {"moto"})
BUCKET = "telemetry"
PARTS = {"part_size": "5MiB", "compression": "none", "batch": {"max_size": "12MiB", "max_age": "1s"}}
# Lines that make objects of several parts within a second.
LONG_LINES = {"long_every": 8, "long_bytes": 100_000}


class Bucket:
    def __init__(self, name, in_parts):
        self.server = s3_servers.start(name, buckets=[BUCKET])
        self.in_parts = in_parts

    def close(self):
        self.server.stop()

    def sink(self, options):
        return {**self.server.sink(BUCKET), **options, **(PARTS if self.in_parts else {})}

    def stamp(self):
        """Newer whenever a part or an object was written."""
        newest = 0
        for folder, _, _ in os.walk(self.server.root):
            try:
                newest = max(newest, os.stat(folder).st_mtime_ns)
            except FileNotFoundError:
                pass
        return newest

    def take_home(self, folder):
        """Every object, below `folder`; Failed where an upload is neither completed nor aborted, or
        where none of several parts is there although that is what was asked for."""
        self.server.s3.download(BUCKET, folder)
        keys = self.server.s3.keys(BUCKET)
        left = self.server.s3.uploads(BUCKET)
        if self.server.name == "minio":  # it lists those of one key only, but keeps each in a folder
            left = list(self.server.root.glob(".minio.sys/multipart/*/*"))
        if left:
            raise agent.Failed(f"{len(left)} uploads were left behind: {left[:3]}")
        tags = [self.server.s3.head(BUCKET, key)["etag"] for key in keys]
        in_parts = sum("-" in tag for tag in tags)
        if self.in_parts and in_parts == 0:
            raise agent.Failed("no object went up in parts: this has shown nothing")
        return f"{len(keys)} objects, {in_parts} of them in parts; no upload was left behind\n"
