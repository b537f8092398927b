#!/usr/bin/env python3
"""The house rules that no compiler checks. Each check is a ctest test: structure.NAME.

    python3 tests/structure/structure.py             all of them
    python3 tests/structure/structure.py includes    one

A check is a function from a Tree to complaints, "FILE:LINE: what is wrong; what to do". can_fail.py
shows each of them a tree that it must complain about.
"""
import os
import posixpath
import re
import subprocess
import sys

# Which folders a folder may include, beside itself. Includes point one way:
# base <- {config, buffer} <- {sources, sinks} <- run <- commands <- main; siblings do not meet.
BASE, CONFIG, BUFFER, SOURCES = "agent/base", "agent/config", "buffer", "agent/sources"
RUN, COMMANDS, PAGES = "agent/run", "agent/commands", "agent/pages"
SINKS, OBJECT, DELIVERY = "sinks", "sinks/object", "sinks/delivery"
AGE, S3EC, CRYPTO = "sinks/object/age", "sinks/object/s3ec", "sinks/object/crypto"
HTTP, AWS, AWS_CLIENT = "sinks/http", "sinks/aws", "sinks/aws_client"
EVENTS = "sinks/events"
MAY_INCLUDE = {
    BASE: set(),
    CONFIG: {BASE},
    BUFFER: {BASE},
    SOURCES: {BASE, CONFIG, BUFFER},
    SINKS: {BASE, CONFIG, BUFFER},
    CRYPTO: {BASE},
    AGE: {BASE, CRYPTO},
    S3EC: {BASE, CRYPTO},
    HTTP: {BASE, CONFIG, SINKS},
    OBJECT: {BASE, CONFIG, BUFFER, SINKS, AGE, S3EC, CRYPTO},
    DELIVERY: {BASE, CONFIG, BUFFER, SINKS, OBJECT},
    AWS: {BASE, CONFIG, SINKS, DELIVERY},
    AWS_CLIENT: {BASE, CONFIG, SINKS, HTTP, AWS},
    EVENTS: {BASE, CONFIG, BUFFER, SINKS, HTTP, OBJECT, DELIVERY, AWS, AWS_CLIENT},
    RUN: {BASE, CONFIG, BUFFER, SOURCES, SINKS, OBJECT, AGE, DELIVERY, HTTP, EVENTS, "a sink"},
    COMMANDS: {BASE, CONFIG, BUFFER, SOURCES, SINKS, OBJECT, AGE, S3EC, DELIVERY, EVENTS, RUN, "a sink"},
    PAGES: {BASE, CONFIG, RUN, COMMANDS},
    "agent": {BASE, COMMANDS},  # main.cpp
    "cross/static/own": set(),
}
# Every other folder of sinks/ is a sink: all may include the same, and none another.
A_SINK = {BASE, CONFIG, BUFFER, SINKS, HTTP, OBJECT, DELIVERY, EVENTS, AWS, AWS_CLIENT}

# Headers of libraries that are kept behind few files of ours, by how their names begin.
BEHIND = {
    "lmdb.h": {"buffer/lmdb.cpp"},
    "toml++/": {"agent/config/toml_file.cpp"},
    "boost/program_options": {"agent/commands/command_line.cpp"},
    "simdjson.h": {"sinks/elasticsearch/bulk_response.cpp", "sinks/events/json_line.h"},
    "curl/": {"sinks/http/cookies.h", "sinks/http/exchange.h", "sinks/http/http_client.cpp"},
}

# Words that speak of the place where this was written, not of edgehose. Spelt so that this file does
# not find itself.
FOREIGN_WORDS = [
    (r"\b[i]ssue #?\d", "the number of an issue: say what the matter is"),
    (r"\b(?:this|last|previous|earlier|next) [s]ession\b", "a workplace's session"),
    (r"\b(?:another|other|every|each) [h]elpers?\b", "a workplace's helper"),
    (r"(?<![\w.}])/[w]ork/", "a path of one machine"),
    (r"(?<![\w.}])/home/[a-z]\w*/", "a path of one machine"),
    (r"\b(?:registry|mirror|proxy|artifactory|nexus)[\w-]*\.[\w-]+\.[a-z]{2,}\b(?!\()",
     "the host of a package registry"),
    (r"\b(?:p[y]pi|crates|npmjs|docker|ghcr|quay)\.(?:org|io|com)\b", "the host of a package registry"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE_NAME = re.compile(r"(?<![\w./<-])((?:\.\./)*[a-z][\w/]*\.(?:h|cpp|py|sh|md|service))\b")


class Tree:
    """Tracked files by path, and their text."""

    def __init__(self, files):
        self.files = files  # path -> text
        self.folders = {posixpath.dirname(path) for path in files} - {""}
        # "a/b/c.h" answers to "c.h" and "b/c.h" too.
        self.endings = {tail for path in files for tail in endings(path)}

    def sources(self):
        return [p for p in sorted(self.files) if p.endswith((".h", ".cpp"))]

    def pages(self):
        return [p for p in sorted(self.files) if p.endswith(".md")]

    def lines(self, path):
        return enumerate(self.files[path].splitlines(), 1)


def endings(path):
    parts = path.split("/")
    return ["/".join(parts[i:]) for i in range(len(parts))]


def load(root):
    files = {}
    for path in tracked(root):
        try:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                files[path] = file.read()
        except UnicodeDecodeError:
            files[path] = ""  # data
        except (FileNotFoundError, IsADirectoryError):
            pass  # deleted, and not committed yet
    return Tree(files)


def tracked(root):
    try:
        # Tests may run as another user than the owner of the checkout.
        listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"],
                                capture_output=True, check=True).stdout.decode()
        return [path for path in listed.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        return walked(root)  # unpacked from an archive


def walked(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(("build", "."))]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), root)


# --- the checks -------------------------------------------------------------------------------------


def kind(folder):
    """Under which name MAY_INCLUDE knows a folder."""
    if folder not in MAY_INCLUDE and re.fullmatch(r"sinks/\w+", folder):
        return "a sink"
    return folder


def includes(tree):
    """Includes point one way, and name a file by its path from the top."""
    for path in tree.sources():
        if path.startswith("tests/"):
            continue
        folder = posixpath.dirname(path)
        may = A_SINK if kind(folder) == "a sink" else MAY_INCLUDE.get(folder)
        if may is None:
            yield f"{path}: {folder}/ has no line in MAY_INCLUDE (tests/structure/structure.py): add it"
            continue
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            if not match or match[1] != '"':
                continue
            to = posixpath.dirname(match[2])
            if match[2] not in tree.files:
                yield (f'{path}:{number}: "{match[2]}" is no file that git tracks: git add it, '
                       'or name it by its path from the top')
            elif to != folder and kind(to) not in may:
                allowed = ", ".join(sorted(may)) or "nothing of ours"
                yield f'{path}:{number}: {folder}/ may not include "{match[2]}", only {allowed}'


def libraries(tree):
    """Some libraries are kept behind one file of ours."""
    for path in tree.sources():
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            if not match or match[1] != "<":
                continue
            for header, behind in BEHIND.items():
                if match[2].startswith(header) and path not in behind:
                    where = ", ".join(sorted(behind)) or "no file"
                    yield f"{path}:{number}: <{match[2]}> belongs into {where}: use what that offers"


def headers(tree):
    """A header is read once, and its own .cpp includes it first, which shows that it stands alone."""
    for path in tree.sources():
        if path.endswith(".h"):
            if "\n#pragma once\n" not in "\n" + tree.files[path]:
                yield f"{path}: has no #pragma once"
            continue
        own = path[: -len(".cpp")] + ".h"
        first = next((m for _, line in tree.lines(path) if (m := INCLUDE.match(line))), None)
        if own in tree.files and (first is None or first[2] != own):
            yield f'{path}: must include "{own}" before anything else'


def readmes(tree):
    """Each folder says what lives there: in a README.md, or for tests in that of a folder above."""
    for folder in sorted(tree.folders):
        if folder.startswith("."):  # .ci: one script that says it itself
            continue
        if f"{folder}/README.md" not in tree.files and not named_above(tree, folder):
            what = "has no README.md"
            if folder.startswith("tests/"):
                what += ", and none above it has a table row that begins with its name"
            yield f"{folder}/: {what}"


def named_above(tree, folder):
    if not folder.startswith("tests/"):
        return False
    above = posixpath.dirname(folder)
    while above != "tests":
        name = re.escape(posixpath.relpath(folder, above))
        page = tree.files.get(f"{above}/README.md", "")
        if re.search(rf"^\|[^|]*(?<![\w/]){name}(?!/?\w)", page, re.MULTILINE):
            return True
        above = posixpath.dirname(above)
    return False


def links(tree):
    """Relative links of the pages lead to files."""
    for path in tree.pages():
        for number, line in tree.lines(path):
            for target in LINK.findall(line):
                if re.match(r"[a-z]+:|#", target):
                    continue
                to = posixpath.normpath(posixpath.join(posixpath.dirname(path), target.split("#")[0]))
                if to not in tree.files:
                    hint = ": name its README.md" if to in tree.folders else ""
                    yield f"{path}:{number}: the link to {target} leads to no file{hint}"


def names(tree):
    """Files that a README names exist."""
    for path in tree.pages():
        if not path.endswith("README.md"):
            continue
        for number, line in tree.lines(path):
            for name in FILE_NAME.findall(line):
                to = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
                if to not in tree.files and name not in tree.endings:
                    yield f"{path}:{number}: there is no {name}"


def words(tree):
    """The text speaks of edgehose, not of the place where it was written."""
    patterns = [(re.compile(pattern, re.IGNORECASE), what) for pattern, what in FOREIGN_WORDS]
    for path in sorted(tree.files):
        for number, line in tree.lines(path):
            for pattern, what in patterns:
                if match := pattern.search(line):
                    yield f'{path}:{number}: "{match[0]}" reads like {what}'


CHECKS = {check.__name__: check
          for check in (includes, libraries, headers, readmes, links, names, words)}


def main():
    root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    tree = load(root)
    bad = [name for name in sys.argv[1:] if name not in CHECKS]
    if bad:
        sys.exit(f"no check is called {bad[0]}; there are: {' '.join(CHECKS)}")
    if not tree.sources():
        sys.exit(f"no sources in {root}: nothing was checked")
    found = 0
    for name in sys.argv[1:] or CHECKS:
        for complaint in CHECKS[name](tree):
            print(complaint)
            found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
