"""What a disk may hold after a power cut: a model that is fed with a recording of record_writes.cpp.

Durable is what was synced. Of the rest a random part, whole, in pieces of a page or torn into sectors
of 512 bytes; names only as far as their directory was synced, and a random number of changes further.
Files that are only appended to (log files) keep a beginning of what was appended, as on ext4, whose
sizes follow the data; a file that grew by zeros would need other promises.
"""
import os
from pathlib import Path

# What may be left of changes that were not synced.
STYLES = ("none", "all", "prefix", "pages", "sectors")


class Disk:
    """What is durable, and what is not yet. `appended`: the root of files that are only appended to;
    with `ignore_syncs` their syncs do nothing, as with a drive that lies or an agent that forgets."""

    def __init__(self, roots, appended="", ignore_syncs=False):
        self.roots = roots
        self.appended = appended
        self.ignore_syncs = ignore_syncs
        self.written = {}    # file -> bytearray, as of now: what a reader may have seen
        self.inodes = {}     # file -> inode
        self.content = {}    # file -> bytearray, durable
        self.pending = {}    # file -> changes since its last sync
        self.names = {}      # path -> file, durable; directories: path -> None
        self.changes = {}    # directory -> changes of names since its last sync
        self.files = {}      # inode -> file, as of now; a reused inode is another file
        self.now = {}        # path -> file, as of now
        self.made = 0
        for root in roots:
            self.names[root] = self.now[root] = None

    def file(self, inode):
        if inode not in self.files:  # of an unnamed or unseen file: its own
            self.new_file(inode)
        return self.files[inode]

    def new_file(self, inode):
        self.made += 1
        self.files[inode] = self.made
        self.inodes[self.made] = inode
        self.content[self.made] = bytearray()
        self.written[self.made] = bytearray()
        self.pending[self.made] = []

    def change(self, directory, *change):
        self.changes.setdefault(directory, []).append(change)
        apply_name(self.now, change)

    def apply(self, event):
        kind, words, data = event
        if kind == "create":
            inode, path = words[0].split(" ", 1)
            self.new_file(inode)
            self.change(os.path.dirname(path), "add", path, self.files[inode])
        elif kind == "mkdir":
            _, path = words[0].split(" ", 1)
            self.change(os.path.dirname(path), "add", path, None)
        elif kind == "rename":
            source, target = words[0].split("\t")
            self.change(os.path.dirname(target), "rename", source, target, self.now.get(source))
        elif kind == "link":
            source, target = words[0].split("\t")
            self.change(os.path.dirname(target), "add", target, self.now.get(source))
        elif kind in ("unlink", "rmdir"):
            self.change(os.path.dirname(words[0]), "remove", words[0])
        elif kind in ("sync", "syncfs"):
            inode, path = words[0].split(" ", 1)
            if self.below(path, self.appended) and self.ignore_syncs:
                return
            if kind == "syncfs":
                self.sync_all(next(r for r in self.roots if self.below(path, r)))
            elif path in self.now and self.now[path] is None:
                self.sync_names(path)
            else:
                self.sync_file(self.file(inode))
        else:
            self.apply_to_file(kind, words[0].split(" "), data)

    def apply_to_file(self, kind, numbers, data):
        file = self.file(numbers[0])
        at_once = False
        if kind == "write":
            change = ("write", int(numbers[1]), data)
            at_once = numbers[2] == "1"  # O_DSYNC: durable when it returned
        elif kind == "size":
            change = ("size", int(numbers[1]))
        else:
            change = ("zero", int(numbers[1]), int(numbers[2]))
        apply_content(self.written[file], change)
        if at_once:
            apply_content(self.content[file], change)
        else:
            self.pending[file].append(change)

    def sync_file(self, file):
        for change in self.pending[file]:
            apply_content(self.content[file], change)
        self.pending[file] = []

    def sync_names(self, directory):
        for change in self.changes.pop(directory, []):
            apply_name(self.names, change)

    def sync_all(self, root):
        """The file system of one root: nothing says that the others are on it too."""
        for path, file in list(self.now.items()):
            if self.below(path, root):
                self.sync_names(path) if file is None else self.sync_file(file)

    @staticmethod
    def below(path, root):
        return root != "" and (path == root or path.startswith(root + "/"))

    def image(self, rng, in_flight):
        """Names and contents after a cut now, while `in_flight` was under way."""
        names = dict(self.names)
        for directory, changes in self.changes.items():
            # A log's directory is never synced, but most file systems keep it up with their journal.
            journal = self.below(directory, self.appended) and rng.random() < 0.6
            for change in changes if journal else changes[:rng.randint(0, len(changes))]:
                apply_name(names, change)
        extra = {}
        if in_flight[0] == "write":
            numbers = in_flight[1][0].split(" ")
            extra[self.file(numbers[0])] = ("write", int(numbers[1]), in_flight[2])
        style = rng.choice(STYLES)
        contents = {}
        for path, file in names.items():
            if file is None or file in contents:
                continue
            changes = self.pending[file] + ([extra[file]] if file in extra else [])
            damage = shortened if self.below(path, self.appended) else damaged
            contents[file] = damage(self.content[file], changes, style, rng)
        return names, contents, style


def apply_name(names, change):
    if change[0] == "add":
        names[change[1]] = change[2]
    elif change[0] == "remove":
        names.pop(change[1], None)
    else:
        _, source, target, file = change
        names.pop(source, None)
        names[target] = file


def apply_content(content, change):
    if change[0] == "size":
        grow = change[1] - len(content)
        if grow < 0:
            del content[change[1]:]
        else:
            content.extend(bytes(grow))
        return
    at, data = change[1], change[2]
    if change[0] == "zero":
        data = bytes(max(0, min(data, len(content) - at)))
    if len(content) < at + len(data):
        content.extend(bytes(at + len(data) - len(content)))
    content[at:at + len(data)] = data


def damaged(content, changes, style, rng):
    if style == "none" or not changes:
        return content
    content = bytearray(content)
    for change in kept(changes, style, rng):
        apply_content(content, change)
    return content


def kept(changes, style, rng):
    """Of changes that were not synced those that reached the disk, or pieces of them: all, a beginning,
    or random pages or sectors."""
    if style == "none":
        return
    if style in ("all", "prefix"):
        yield from changes[:len(changes) if style == "all" else rng.randint(0, len(changes))]
        return
    piece = 4096 if style == "pages" else 512
    share = rng.choice((0.1, 0.5, 0.9))
    for change in changes:
        if change[0] != "write":
            if rng.random() < share:
                yield change
            continue
        at, data = change[1], change[2]
        begin = 0
        while begin < len(data):
            end = min(len(data), begin + piece - (at + begin) % piece)
            if rng.random() < share:
                yield ("write", at + begin, data[begin:end])
            begin = end


def shortened(content, changes, style, rng):
    """Of what was appended a beginning, which may end inside of a line."""
    if style == "none" or not changes:
        return content
    durable, content = len(content), bytearray(content)
    for change in changes:
        apply_content(content, change)
    if style != "all":
        del content[rng.randint(durable, max(durable, len(content))):]
    return content


def read_recording(path):
    events, data, at = [], Path(path).read_bytes(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        kind, _, rest = data[at:end].decode("utf8", "surrogateescape").partition(" ")
        at = end + 1
        body = None
        if kind == "write":
            size = int(rest.rsplit(" ", 1)[1])
            body = data[at:at + size]
            at += size + 1
        events.append((kind, [rest], body))
    return events


def write_image(names, contents, old_root, new_root):
    """The image below new_root; a name whose directory did not survive is lost with it."""
    for path in sorted(names):
        if not path.startswith(old_root):
            continue
        target = new_root + path[len(old_root):]
        if not os.path.isdir(os.path.dirname(target)):
            continue
        if names[path] is None:
            os.makedirs(target, exist_ok=True)
        else:
            with open(target, "wb") as f:
                f.write(contents[names[path]])
