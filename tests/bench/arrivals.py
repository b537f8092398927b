"""What came of a gateway's log at a destination, whoever brought it and in whatever form: each line carries
`id=RUN-0000000123` once, which no JSON string and no prefix of another agent changes. Counted as it comes."""
import os
import re
import subprocess
import urllib.parse
import zlib
from pathlib import Path

from fault_client import FaultServer  # found by bench

MARK = re.compile(rb"id=RUN-(\d{10})")
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Tally:
    """How often each line came; not whether its other bytes did, that is check_lines' matter."""

    def __init__(self, lines):
        self.times, self.came, self.doubled, self.unknown = bytearray(lines), 0, 0, 0

    def take(self, data):
        for number in map(int, MARK.findall(data)):
            if number >= len(self.times):
                self.unknown += 1
            elif self.times[number] == 0:
                self.times[number] = 1
                self.came += 1
            else:
                self.doubled += 1

    @property
    def missing(self):
        return len(self.times) - self.came

    def first_missing(self, most=5):
        return [number for number, times in enumerate(self.times) if not times][:most]


def opened(data):
    """The bytes inside, by how they begin."""
    if data.startswith(GZIP):
        inside = b""
        while data:  # members, one behind the other
            member = zlib.decompressobj(wbits=31)
            inside, data = inside + member.decompress(data), member.unused_data
        return inside
    if data.startswith(ZSTD):
        return subprocess.run(["zstd", "-dcq"], input=data, check=True, capture_output=True).stdout
    return data


class Directory:
    """Plain files that grow or are renamed into it; names with a dot in front are not finished yet."""
    compression, age, values = "none", 1, {}

    def __init__(self, box):
        self.out, self.read = box.out, {}

    def close(self):
        pass

    def collect(self, tally):
        for folder, _, names in os.walk(self.out):
            for name in names:
                if not name.startswith("."):
                    self.collect_file(Path(folder, name), tally)

    def collect_file(self, path, tally):
        """What is new in it, by whole lines; a file that was renamed is known by its number."""
        with open(path, "rb") as file:
            known = os.fstat(file.fileno()).st_ino
            file.seek(self.read.get(known, 0))
            data = file.read()
        whole = data.rfind(b"\n") + 1
        tally.take(data[:whole])
        self.read[known] = self.read.get(known, 0) + whole


class Server:
    def __init__(self, *arguments):
        self.server = FaultServer("fault_server.py", *arguments)
        self.close = self.server.close
        self.values = {"endpoint": self.server.url, "host": "127.0.0.1", "port": self.server.port}


class Bucket(Server):
    """The stand-in's: objects that were put, or completed of parts."""
    compression, age = "zstd", 10

    def __init__(self, box):
        super().__init__()
        self.seen, self.told = set(), 0

    def collect(self, tally):
        log = self.server.log()
        for entry in log[self.told:]:
            path, query = urllib.parse.urlsplit(entry["path"])[2:4]
            whole = entry["method"] == ("POST" if "uploadId=" in query else "PUT")
            # The same bytes put again under their name are there once.
            if whole and (path, entry["sha256"]) not in self.seen and "partNumber=" not in query:
                self.seen.add((path, entry["sha256"]))
                tally.take(opened(self.server.get(path)))
        self.told = len(log)


class Search(Server):
    """The stand-in's bulk endpoint: what was in the bodies. It looks at no id, so a document that is sent again
    counts as doubled, also where a real server would know it."""
    compression, age = "gzip", 1
    MOST = 1 << 40

    def __init__(self, box):
        self.bodies, self.at = box.root / "bodies", 0
        super().__init__("--bulk", "--forget", "--sample", self.bodies, self.MOST)

    def collect(self, tally):
        """Each body behind its length (faults.py)."""
        with open(self.bodies, "rb") as file:
            file.seek(self.at)
            data = file.read()
        at = 0
        while at + 8 <= len(data):
            end = at + 8 + int.from_bytes(data[at:at + 8], "big")
            if end > len(data):
                break
            tally.take(data[at + 8:end])
            at = end
        self.at += at


SINKS = {"directory": Directory, "s3": Bucket, "search": Search}
