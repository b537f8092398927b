"""The log files of a power cut: brought back as the disk kept them, and checked line by line.

What the agent promises of a file that was read when the power went: every line up to the committed
position is in the buffer or delivered, and the position never passes what is on the disk. So of every
file that is still there exactly the lines that it still has must arrive, and what its writer appends
after the boot; of one whose name is gone, some beginning of what was written to it.
"""
import os
from collections import Counter

import agent

NEW_LINES = 60
PREFIX = 1024  # bytes by which a content is known; with fewer left it cannot be recognised


class SourceLogs:
    """Files keep their inode and birth time from cut to cut: by these the agent knows them."""

    def __init__(self, directory, kept):
        self.directory, self.kept, self.times = directory, kept, {}
        kept.mkdir()
        for path in directory.iterdir():
            status = path.stat()
            os.link(path, kept / str(status.st_ino))
            self.times[str(status.st_ino)] = status.st_mtime_ns

    def restore(self, names, contents, inodes):
        """The directory after the cut; what is in each file: path -> bytes."""
        for path in self.directory.iterdir():
            path.unlink()
        there = {}
        for path, file in names.items():
            if file is None or os.path.dirname(path) != str(self.directory):
                continue
            inode = inodes[file]
            with open(self.kept / inode, "r+b") as f:
                f.truncate(0)
                f.write(contents[file])
            os.utime(self.kept / inode, ns=(self.times[inode],) * 2)
            os.link(self.kept / inode, path)
            there[file] = bytes(contents[file])
        return there

    def write_on(self, number):
        """What the writers append after the boot; a torn last line is ended first."""
        lines = []
        for name in sorted({p.name.split(".log")[0] for p in self.directory.iterdir()} or {"app"}):
            mine = [b"%s after cut %d, line %d: the gateway is back" % (name.encode(), number, i)
                    for i in range(NEW_LINES)]
            path = self.directory / f"{name}.log"
            torn = path.exists() and split(path.read_bytes())[1]
            with open(path, "ab") as f:
                f.write((b"\n" if torn else b"") + b"\n".join(mine) + b"\n")
            lines += mine
        return lines


def split(content):
    """Its whole lines, and what follows the last of them."""
    *lines, torn = bytes(content).split(b"\n")
    return lines, torn


class Check:
    """`written`: file -> all that was written to it before the cut; `there`: file -> what the disk kept.
    `may_be_shorter`: positions may be past the end of the files, which then go on at their end."""

    def __init__(self, written, there, new_lines, may_be_shorter):
        self.written, self.there, self.new_lines = written, there, new_lines
        self.may_be_shorter = may_be_shorter
        self.shorter = 0  # files whose position was past their end

    def run(self, delivered):
        count = Counter(delivered)
        for file, content in self.written.items():
            self.file(file, content, count)
        for line in self.new_lines:
            if count.pop(line, 0) != 1:
                raise agent.Failed(f"not exactly once, and written after the cut: {line}")
        if self.may_be_shorter:
            del count[b""]  # the end of a line of which the beginning had been read
        left = [line for line, n in count.items() if n > 0]
        if left:
            raise agent.Failed(f"{len(left)} lines that nobody wrote, or torn ones twice: {left[:3]}")

    def file(self, file, content, count):
        kept_bytes = self.there.get(file, b"")
        lines, _ = split(max(content, kept_bytes, key=len))
        kept, torn = split(kept_bytes)
        if torn and torn in lines[len(kept):len(kept) + 1]:  # all of a line but its LF
            kept, torn = [*kept, torn], b""
        unknown = self.may_be_shorter and len(kept_bytes) < PREFIX
        arrived = self.once(lines, count, 2 if unknown else 1)
        if file not in self.there:
            return
        if arrived < len(kept):
            raise agent.Failed(f"missing: {lines[arrived]}, which is in its file")
        if arrived > len(kept):
            self.shorter += not unknown
            if not self.may_be_shorter:
                raise agent.Failed(f"the position is past the disk's end: not synced: {lines[len(kept)]}")
        if torn and (arrived == len(kept) or unknown):
            count[torn] -= 1
            if count[torn] < 0 and not unknown:
                raise agent.Failed(f"missing: {torn}, the torn end of a file")

    @staticmethod
    def once(lines, count, allowed):
        """How many of a file's lines arrived: a beginning of them, none more often than allowed."""
        seen = [count.pop(line, 0) for line in lines]
        arrived = sum(1 for n in seen if n > 0)
        if 0 in seen[:arrived]:
            raise agent.Failed(f"a gap: later lines of its file arrived, not {lines[seen.index(0)]}")
        if max(seen, default=0) > allowed:
            raise agent.Failed(f"doubled: {lines[seen.index(max(seen))]}")
        return arrived
