"""The log of a life's writes, cut at many more points than there is time to boot from.

Each leaves a disk, and carry_on.sh carries on with it on the host: no machine boots, but the file system is mended as
at a boot, the program that logs writes on, and the disk's own agent runs, once, into two new servers. The count is that
of a whole life, of what the machine's servers had taken when the log was as long as at the cut, and these took since.

So the servers are turned back with the disk here, and a cut may be anywhere in the log: what they took later never
happened. Where it is not known which of a request and a write came first, nothing is cut."""
import bisect
import itertools
import json
import struct
import urllib.parse
from pathlib import Path

import fault_bulk
import lines
import write_log
from agent import Failed
from fault_client import FaultServer
from gateway import ARCHIVE, LOGS, SAMPLE_BYTES, counted, dump_lines
from image import run as command

HERE = Path(__file__).resolve().parent
NEW_LINES = 50
MANY = 4  # writes under way: more of them, as while the machine boots, do not make a point the better one


class Request:
    """`contents`: what it asked the server to hold, by name. `before` and `after`: lengths of the log, of which the
    first was reached when it came, and the second not yet, or just then."""

    def __init__(self, contents, before=0, after=0):
        self.contents, self.before, self.after = contents, before, after


class Taken:
    """What a bucket and an index took: of each its requests, in order."""

    def __init__(self, bucket, index, sample, growth=None):
        def request(entry, contents):
            if growth is None:
                return Request(contents)
            return Request(contents, growth.length_before(entry["time"]), growth.length_after(entry["time"]))
        self.cloud = [request(entry, {entry["path"]: bucket.get(entry["path"])}) for entry in bucket.log("PUT")]
        asked = [entry for entry in index.log() if entry["size"]]
        self.search = [request(entry, documents(body)) for entry, body in zip(asked, bodies(sample), strict=True)
                       if fault_bulk.BULK.match(urllib.parse.urlsplit(entry["path"]).path)]

    def uncertain(self, ends):
        """Which of the points, given by the log's length there, are none of before and behind some request."""
        found = set()
        for request in itertools.chain(self.cloud, self.search):
            last = len(ends) if request.after is None else bisect.bisect_left(ends, request.after)
            found.update(range(bisect.bisect_right(ends, request.before), last))
        return found

    def until(self, length):
        """(bucket's requests, index's) that had come when the log had this length."""
        return [[request for request in asked if request.after is not None and request.after <= length]
                for asked in (self.cloud, self.search)]


def bodies(sample):
    """The bodies in a file of faults.Sample."""
    data, at, found = Path(sample).read_bytes(), 0, []
    while at < len(data):
        size = struct.unpack_from(">Q", data, at)[0]
        found.append(data[at + 8:at + 8 + size])
        at += 8 + size
    return found


def documents(body):
    return {(index, identity): text for _, index, identity, text in fault_bulk.parsed(body, None)}


def held(requests):
    """What a server holds after them. What came again must have come with the same content."""
    contents = {}
    for request in requests:
        for name, content in request.contents.items():
            if contents.setdefault(name, content) != content:
                raise Failed(f"{name} came twice, with other content: {difference(contents[name], content)}")
    return contents


def difference(one, other):
    """Both from shortly before where they differ."""
    at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    return " and ".join(repr(content[max(0, at - 40):at + 60]) for content in (one, other))


def came_again(before, after):
    """How many of the names that were held before came again."""
    names = {name for request in before for name in request.contents}
    return sum(name in names for request in after for name in request.contents)


def points(entries, taken, rng, number):
    """So many of the points that may be cut, each the number of entries before it; rather where much was under way."""
    ends = [0] + [entry.end for entry in entries]
    never, weights = taken.uncertain(ends), write_log.under_way(entries)
    possible = [i for i in range(len(ends)) if i not in never]
    chances = [1 + min(weights[i], MANY) for i in possible]
    return sorted(rng.choices(possible, chances, k=number)) if possible else []


def replays(run, gateway, log, entries, growth):
    """The cuts of so many points of the log as are asked for, each after a look at what became of it. The disk is as
    the life began."""
    taken = Taken(gateway.bucket, gateway.index, gateway.sample, growth)
    return [replay(run, gateway, log, entries, point, taken)
            for point in points(entries, taken, run.rng, run.options.replays)]


def replay(run, gateway, log, entries, point, taken):
    disk, place = gateway.folder / "replay.img", gateway.folder / "replay"
    place.mkdir(exist_ok=True)
    command("cp", "--sparse=always", "--reflink=auto", gateway.disk, disk)
    cut = write_log.replay(log, entries[:point], disk, run.rng, run.options.ignore_flushes)
    try:
        told, cloud, search = carry_on(gateway.folder, disk, place)
        if "shorter than what was read" in told:
            raise Failed(f"a log was shorter than its position: it was not synced before its commit:\n{told}")
        before = taken.until(entries[point - 1].end if point else 0)
        cut.again = sum(came_again(*both) for both in zip(before, (cloud, search)))
        check(gateway.folder, disk, held(before[0] + cloud), held(before[1] + search))
    except Failed as failure:
        raise Failed(f"behind {point} of the log's {len(entries)} entries, {cut}:\n{failure}") from failure
    disk.unlink()
    return cut


def carry_on(folder, disk, place):
    """(what was told, requests to the bucket, to the index)"""
    sample = folder / "replay.sample"
    with FaultServer("fault_server.py") as bucket, \
            FaultServer("fault_server.py", "--bulk", "--sample", sample, SAMPLE_BYTES) as index:
        sinks = [f"sinks.cloud.endpoint={bucket.url}", f'sinks.search.endpoints=["{index.url}"]']
        told = command("bash", HERE / "carry_on.sh", disk, place, f"{LOGS}/app.log", "AFTER", NEW_LINES, "--",
                       *(word for setting in sinks for word in ("--set", setting)))
        taken = Taken(bucket, index, sample)
    return told, taken.cloud, taken.search


def check(folder, disk, objects, found):
    """Every line that a file of the disk holds is once in each of the three; Failed where one is not right."""
    counted(dump_lines(disk, LOGS, folder / "replay.held"),
            {"cloud": lines.count(lines.unpacked(b"".join(objects.values()))),
             "archive": dump_lines(disk, ARCHIVE, folder / "replay.archive"),
             "search": lines.count(b"".join(message(text) for text in found.values()))}, beyond=True)


def message(document):
    return json.loads(document)["message"].encode() + b"\n"
