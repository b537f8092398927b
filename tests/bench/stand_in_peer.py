#!/usr/bin/env python3
"""A stand-in for another agent, to test peers.py with: puts a log's lines into a bucket, and stays.

    stand_in_peer.py CONFIG     JSON: log, endpoint; lose, double: every so manieth line; end: after so many
"""
import json
import signal
import sys
import urllib.request

BLOCK = 500  # lines of an object


def put(config, first, lines):
    request = urllib.request.Request(f"{config['endpoint']}/bench/{first:010}", b"".join(lines), method="PUT")
    urllib.request.urlopen(request, timeout=20).close()


def altered(config, number, line):
    """The line as often as it is sent."""
    def chosen(every):
        return every in config and number % config[every] == 1
    return [] if chosen("lose") else [line, line] if chosen("double") else [line]


def main():
    with open(sys.argv[1]) as file:
        config = json.load(file)
    with open(config["log"], "rb") as log:
        lines = log.readlines()
    for first in range(0, len(lines), BLOCK):
        if first >= config.get("end", len(lines)):
            sys.exit("the stand-in has had enough")
        numbered = enumerate(lines[first:first + BLOCK], first)
        put(config, first, [sent for number, line in numbered for sent in altered(config, number, line)])
    signal.pause()


main()
