"""What befalls an agent in a soak: each fault begins, lasts, and ends. Servers meet one at a time."""
import json
import os
import signal

from fault_client import ALWAYS  # found by soak

BUCKET, INDEX = "/bucket", "/index"  # what paths begin with, of each life's own
REJECTED = {"error": {"type": "es_rejected_execution_exception", "reason": "queue full"}, "status": 429}


def refused(status, code):
    """S3's words."""
    return {"do": "status", "status": status, "body": f"<Error><Code>{code}</Code><Message>words</Message></Error>"}


class ServerFault:
    def __init__(self, server, path, **fault):
        self.server, self.fault = server, {"path": path, "times": ALWAYS, **fault}

    def begin(self, lives, rng):
        self.server.faults(self.fault)

    def end(self, lives, rng):
        self.server.faults()


class SinkTakenAway:
    """As a stick that is pulled: the sink parks, and is tried again after a minute at most."""

    def begin(self, lives, rng):
        for life in lives:
            life.box.stick.rename(life.box.stick.with_name("away"))

    def end(self, lives, rng):
        for life in lives:
            life.box.stick.with_name("away").rename(life.box.stick)


class FullDisk:
    """Another program takes what is left of the file system of the buffer and of the directory, all of it or nearly.
    The buffer has room of its own, the directory has none."""

    def begin(self, lives, rng):
        for life in lives:
            space = os.statvfs(life.disk)
            self.fill(life.disk / "other", space.f_bavail * space.f_frsize - rng.choice((0, 4096)))

    @staticmethod
    def fill(path, size):
        """In pieces where all of it does not fit: the file's own blocks and the agent take some meanwhile."""
        piece = size
        with open(path, "wb") as file:
            while size >= piece >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, piece)
                    size -= piece
                except OSError:
                    piece //= 2

    def end(self, lives, rng):
        for life in lives:
            (life.disk / "other").unlink(missing_ok=True)


class Reload:
    """SIGHUP with another config, and back. The process starts itself anew with it, with new memory: so not in the
    life that shows what gathers in one."""

    def begin(self, lives, rng):
        self.hangup(lives, age="3s")

    def end(self, lives, rng):
        self.hangup(lives)

    @staticmethod
    def hangup(lives, **options):
        for life in filter(lambda one: one.mortal, lives):
            life.configure(**options)
            life.process.popen.send_signal(signal.SIGHUP)


class Quiet:
    """No fault: what they all are measured against."""

    def begin(self, lives, rng):
        pass

    end = begin


def all_of_them(store, search, full_disk):
    """By name, as a report tells them."""
    busy = {"do": "status", "status": 429, "headers": {"Retry-After": "1"}, "body": json.dumps(REJECTED)}
    faults = {
        "S3 down": ServerFault(store, BUCKET, do="reset"),
        "S3 busy (503)": ServerFault(store, BUCKET, **refused(503, "SlowDown")),
        "S3 slow (3 s)": ServerFault(store, BUCKET, do="late", pause=3),
        "S3 answers lost": ServerFault(store, BUCKET, do="lost"),
        "S3 denies (403): parked": ServerFault(store, BUCKET, **refused(403, "AccessDenied")),
        "search down": ServerFault(search, INDEX, do="reset"),
        "search busy (429)": ServerFault(search, INDEX, **busy),
        "search slow (3 s)": ServerFault(search, INDEX, do="late", pause=3),
        "search answers lost": ServerFault(search, INDEX, do="lost", every=2),
        "directory gone: parked": SinkTakenAway(),
        "reloads": Reload(),
        "quiet": Quiet(),
    }
    return {**faults, "disk full": FullDisk()} if full_disk else faults
