#!/usr/bin/env python3
"""Records what the real search servers answer (search_case.py) for the tests of the sink, which
have no server: one file each, tests/sinks/elasticsearch/answers/CASE.SERVER.json.

    search_answers.py [CASE...]     asks the servers, writes the files

A file: `case` and `what` it shows, `server` and its version, `request`, and `answer`: status,
headers (lower case) and body as it came, or null where the server hung up instead. Bodies of
requests over 4 KiB are left out; those in gzip are told as what they unpack to.
search_servers_test.py sees that a server of today still answers in that way: shape() of both is the
same.
"""

import json
import re
import sys
import zlib
from pathlib import Path

import search_item_cases  # noqa: F401 (declares its cases)
import search_request_cases  # noqa: F401
import search_servers
from search_case import CASES

FOLDER = Path(__file__).resolve().parents[1] / "sinks" / "elasticsearch" / "answers"
BODY_BYTES = 4096


def path_of(case, server):
    return FOLDER / f"{case}.{server}.json"


def cases_of(server):
    """Those that this kind of server has, by name."""
    return {name: case for name, case in CASES.items() if case.only in (None, server)}


def groups(cases):
    """(settings, user) of a server, and the cases that want it."""
    found = {}
    for name, case in cases.items():
        found.setdefault((tuple(case.settings.items()), case.user), []).append(name)
    return found.items()


def index_of(case):
    """A name of its own, which survives as a data stream's and in patterns."""
    return "logs-" + case.replace("_", "-")


def ask(server, name):
    return CASES[name](server, index_of(name))


# --- as JSON --------------------------------------------------------------------------------------


def told_body(exchange):
    body = exchange.body
    if not isinstance(body, (bytes, type(None))):
        return None  # in pieces
    if body and body[:2] == b"\x1f\x8b":
        body = zlib.decompressobj(wbits=31).decompress(body)
    return body.decode() if body and len(body) <= BODY_BYTES else None


def record(server, name, exchange):
    answer = exchange.answer
    return {
        "case": name, "what": CASES[name].__doc__, "server": f"{server.name} {server.version}",
        "request": {"method": exchange.method, "path": exchange.path, "headers": exchange.headers,
                    "body": told_body(exchange)},
        "answer": answer and {"status": answer.status, "headers": answer.headers,
                              "body": answer.body.decode()},
    }


def recorded(case, server):
    return json.loads(path_of(case, server).read_text())


# --- compared -------------------------------------------------------------------------------------


def shape(told):
    """What two answers to the same question have in common: no ids, times and words."""
    answer = told["answer"]
    if answer is None:
        return "hung up"
    shaped = {"status": answer["status"], "headers": sorted(answer["headers"]),
              "type": answer["headers"].get("content-type")}
    try:
        body = json.loads(answer["body"])
    except json.JSONDecodeError:
        return {**shaped, "text": re.sub(r"\d+", "0", answer["body"])}
    shaped["fields"] = list(body)
    shaped["error"] = error_type(body)
    shaped["items"] = [item_shape(item) for item in body.get("items", [])]
    if CASES[told["case"]].shuffled:
        shaped["items"] = sorted({json.dumps(item[2:]) for item in shaped["items"]})
    return shaped


def item_shape(item):
    (op, inner), = item.items()
    return [op, told_id(inner), inner["status"], error_type(inner), inner.get("result"),
            sorted(inner)]


def told_id(inner):
    """The server's own ids are of no interest."""
    found = inner.get("_id")
    return found if found is None or len(found) < 4 else "made by the server"


def error_type(body):
    error = body.get("error")
    return error.get("type") if isinstance(error, dict) else error


def main(names):
    for kind in search_servers.KINDS:
        wanted = {n: c for n, c in cases_of(kind).items() if not names or n in names}
        for (settings, user), group in groups(wanted):
            with search_servers.start(kind, settings=dict(settings), user=user) as server:
                for name in group:
                    told = record(server, name, ask(server, name))
                    path_of(name, kind).write_text(json.dumps(told, indent=1) + "\n")
                    print(kind, name, shape(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
