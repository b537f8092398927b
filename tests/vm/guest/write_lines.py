#!/usr/bin/env python3
"""In the machine: a program that logs the lines of lines.py to a file, at a rate, until SIGTERM or --lines.

A line that the file system does not take (full, read-only) is tried again until it does. A line that a
power cut left without its end is ended first. SIGHUP: reopens the file, as after a rotation."""
import argparse
import os
import signal
import sys
import time

import lines

asked = {"stop": False, "reopen": False}


def reopened(path, fd):
    while not asked["stop"]:
        try:
            new = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
            if fd is not None:
                os.close(fd)
            return new
        except OSError:
            time.sleep(0.2)
    return fd


def write_all(fd, data):
    """Whether all of it was written: a stop ends the waiting for room."""
    while True:
        try:
            data = data[os.write(fd, data):]
            if not data:
                return True
        except OSError:
            time.sleep(0.2)
        if asked["stop"]:
            return False


def torn(fd):
    size = os.fstat(fd).st_size
    return size > 0 and os.pread(fd, 1, size - 1) != b"\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--rate", type=float, required=True, help="lines a second")
    parser.add_argument("--lines", type=int, help="ends behind so many")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: asked.update(stop=True))
    signal.signal(signal.SIGHUP, lambda *_: asked.update(reopen=True))
    fd = reopened(options.file, None)
    if torn(fd):
        write_all(fd, b"\n")
    begin, number = time.monotonic(), 0
    while not asked["stop"] and number != options.lines:
        due = int((time.monotonic() - begin) * options.rate)
        if options.lines is not None:
            due = min(due, options.lines)
        while number < due and not asked["stop"]:
            if asked["reopen"]:
                asked["reopen"], fd = False, reopened(options.file, fd)
            number += write_all(fd, lines.line(options.run, number) + b"\n")
        time.sleep(0.01)
    print(f"{number} lines", flush=True)


if __name__ == "__main__":
    sys.exit(main())
