"""The lines of the test: each carries its run and number, and a checksum of what stands before it, so that
a line can be told whole wherever it is found. write_lines.py writes them in the machine; here they are
read back, from logs, rotations and delivered objects, and counted."""
import os
import re
import zlib
from collections import Counter
from pathlib import Path

LINE = re.compile(rb"id=(\w+)-(\d{10}) .* crc=([0-9a-f]{8})$", re.S)
SHOWN = 3


def line(run, number):
    """Line `number` of `run`, without its end; 90 to 200 bytes."""
    mix = zlib.crc32(b"%s-%d" % (run.encode(), number))
    body = (f"id={run}-{number:010} unit={mix % 12} motor{mix % 8}/temperature={mix % 9000 / 100:.2f} "
            f"regs={[mix >> shift & 1023 for shift in range(0, 8 + mix % 14)]}").encode()
    return b"%s crc=%08x" % (body, zlib.crc32(body))


def is_whole(text):
    match = LINE.match(text)
    return bool(match) and zlib.crc32(text[:-len(b" crc=00000000")]) == int(match[3], 16)


def read_log(path):
    """The bytes of a log or a rotation of it."""
    import gzip  # here, since write_lines.py needs it not, and an emulated machine seconds for it
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def unpacked(objects):
    """Of objects one behind the other, which zstd takes for one: each ends with a line."""
    import subprocess
    return subprocess.run(["zstd", "-dcq"], input=objects, capture_output=True, check=True).stdout


def count(data):
    """How often each line is there. A last one without its end is one too: it ships, as its writer may be gone."""
    found = data.split(b"\n")
    return Counter(found if found[-1] else found[:-1])


def read_folder(folder):
    """How often each line is in the files below `folder`."""
    found, objects = Counter(), []
    for place, _, names in os.walk(folder):
        for path in (Path(place) / name for name in names if not name.startswith(".")):
            if path.suffix == ".zst":
                objects.append(path.read_bytes())
            else:
                found.update(count(read_log(path)))
    return found + count(unpacked(b"".join(objects))) if objects else found


class Count:
    """What became of the lines: `held` is what files hold at the end, `delivered` what arrived at one sink.

    lost        held by a file, and not delivered
    doubled     delivered more often than a file holds it
    beyond      delivered once, and held by no file any more: right where a cut or a truncation took it
    strange     delivered, and neither held by a file nor whole
    """

    def __init__(self, held, delivered):
        self.held, self.delivered = sum(held.values()), sum(delivered.values())
        self.lost = list((held - delivered).elements())
        self.doubled = [text for text, times in delivered.items() if times > max(1, held[text])]
        others = [text for text in delivered if text not in held]
        self.beyond = [text for text in others if is_whole(text)]
        self.strange = [text for text in others if not is_whole(text)]

    def is_right(self, beyond=False):
        """`beyond`: whether lines may be held by no file any more."""
        return self.held > 0 and not (self.lost or self.doubled or self.strange or (self.beyond and not beyond))

    def __str__(self):
        text = (f"{self.held} lines held by files, {self.delivered} delivered: {len(self.lost)} lost, "
                f"{len(self.doubled)} doubled, {len(self.strange)} strange, {len(self.beyond)} beyond the files")
        for name in ("lost", "doubled", "strange", "beyond"):
            for one in getattr(self, name)[:SHOWN]:
                text += f"\n  {name}: {one[:120]!r}"
        return text
