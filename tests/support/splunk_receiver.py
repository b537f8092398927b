#!/usr/bin/env python3
"""A Splunk HTTP Event Collector that follows the documentation to the letter, and is strict.

    splunk_receiver.py [--tls CERT KEY] [--nodes N [--sticky]] [--token TOKEN[:OPTION,...]]...

Prints "PORT\\n" and serves on 127.0.0.1 until it is killed: /services/collector (/event, /raw, each
also with /1.0), /ack and /health. Behind it are `nodes` indexers that know nothing of each other:
each request goes to the next one, with --sticky each channel always to the same.

Options of a token: ack (it wants acknowledgements), off (disabled), query (may come in the query),
index=NAME (may be several: no others; the first is its default). Without --token there are "token",
and "ack-token" which wants acknowledgements.

It refuses what the documentation refuses, and besides: a body without its Content-Type
(application/json, for raw text/plain), times that are not seconds with three decimals, fields that
are not flat, members that it does not know, names twice, bytes that are not UTF-8. Events before
the one that is refused are indexed, and acknowledged to nobody.

A fault of its own: "code" does not look, and answers `code` (with `event` as invalid-event-number);
0, 24 and 25 do what is asked and tell that code.

For the test only:
    GET  /__events[?from=N]     what was indexed, one JSON object a line, in order of the nodes
    GET  /__counts              {"codes": {"0": n, ...}, "events": n, "waiting": n, "lost": n};
                                among the codes also "ack" and, of 413, "too large"
    POST /__state               any of {"busy": true, "broken": true, "shutting_down": true,
                                "ack_delay": 3, "tokens": {"t": "off"}, "indexing": false,
                                "ack_service": false}; the last two for all nodes or a "node": 1
    POST /__restart[?node=N]    what waited to be indexed is lost, and channels and acknowledgements
                                are unknown from now on
"""

import collections
import json
import re
import sys
import urllib.parse
import zlib

import faults
import splunk_events
from splunk_codes import CODES, DELIVERED, Refused
from splunk_node import Node
from splunk_request import Asked, TooLarge, ack_ids

JSON = {"Content-Type": "application/json; charset=UTF-8"}
PATH = re.compile(r"/services/collector(?:/(event|raw|ack|health)(?:/1\.0)?)?")
NOT_FOUND = {"text": "The requested URL was not found on this server.", "code": 404}
TOO_LARGE = b"<!doctype html><html><title>413 Content-Length of request too large</title></html>"


class Token:
    def __init__(self, options):
        named = [option.partition("=") for option in options.split(",") if option]
        flags = {name for name, _, value in named if not value}
        self.ack, self.off, self.query = ("ack" in flags, "off" in flags, "query" in flags)
        self.indexes = [value for name, _, value in named if name == "index"] or None


class Receiver(faults.Backend):
    own_faults = ("code",)

    def __init__(self, options):
        self.options, self.next = options, 0
        self.nodes = [Node(number, options) for number in range(options.nodes)]
        self.tokens = {name: Token(more) for name, _, more in (
            one.partition(":") for one in options.token or ["token", "ack-token:ack"])}
        self.busy = self.broken = self.shutting_down = False
        self.counts, self.lost = collections.Counter(), 0

    # --- answers ----------------------------------------------------------------------------------

    def told(self, code, **more):
        self.counts[code] += 1
        status, text = CODES[code]
        return status, json.dumps({"text": text, "code": code, **more}).encode(), JSON

    def refused(self, why):
        more = {} if why.event is None else {"invalid-event-number": why.event}
        return self.told(why.code, **more)

    def serve(self, request, forced=None):
        path, query = urllib.parse.urlsplit(request.path)[2:4]
        found = PATH.fullmatch(path)
        kind = found and (found[1] or "event")
        if not found or request.method != ("GET" if kind == "health" else "POST"):
            return 404 if not found else 405, json.dumps(NOT_FOUND).encode(), JSON
        parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        try:
            return getattr(self, kind)(Asked(request, parameters, self.options.limit), forced)
        except Refused as why:
            return self.refused(why)
        except TooLarge:
            self.counts["too large"] += 1
            return 413, TOO_LARGE, {"Content-Type": "text/html; charset=UTF-8"}

    def fault(self, fault, request):
        if fault["code"] in DELIVERED:
            return self.serve(request, forced=fault["code"])
        return self.refused(Refused(fault["code"], fault.get("event")))

    # --- the endpoints ----------------------------------------------------------------------------

    def event(self, asked, forced):
        token = self.ready_for(asked)
        channel = asked.channel(needed=token.ack)
        asked.must_be("application/json")
        events, refusal = splunk_events.events(asked.body(), token.indexes,
                                                self.options.index_from)
        return self.take(asked, events, refusal, channel, token, forced)

    def raw(self, asked, forced):
        token = self.ready_for(asked)
        channel = asked.channel(needed=True)
        asked.must_be("text/plain")
        events = splunk_events.raw(asked.body(), asked.parameters, token.indexes)
        return self.take(asked, events, None, channel, token, forced)

    def take(self, asked, events, refusal, channel, token, forced):
        node = self.node_for(asked)
        if events or not refusal:
            identity, code = node.take(events, channel, token.ack and not refusal)
        if refusal:
            raise refusal
        more = {} if identity is None else {"ackId": identity}
        return self.told(code if forced is None else forced, **more)

    def ack(self, asked, forced):
        token = self.ready_for(asked)
        if not token.ack:
            raise Refused(14)
        channel = asked.channel(needed=True)
        asked.must_be("application/json")
        ids = ack_ids(asked.body())
        node = self.node_for(asked)
        if not node.ack_service:
            raise Refused(9)
        self.counts["ack"] += 1
        return 200, json.dumps({"acks": node.acknowledged(channel, ids)}).encode(), JSON

    def health(self, asked, forced):
        """A token is not needed, but where there is one it has to be right."""
        if self.shutting_down:
            raise Refused(23)
        if "token" in asked.parameters or "authorization" in asked.headers:
            token = self.tokens.get(asked.token())
            if not token or token.off:
                raise Refused(22 if token else 21)
        return self.told(self.node_for(asked).health(asked.parameters.get("ack") == "true"))

    # --- who may ----------------------------------------------------------------------------------

    def ready_for(self, asked):
        """The token's options; Refused where it may not, or where the server can not now."""
        name = asked.token()
        token = self.tokens.get(name)
        if not token:
            raise Refused(4)
        if token.off:
            raise Refused(1)
        if asked.token_in_query and not token.query:
            raise Refused(16)
        for failing, code in ((self.shutting_down, 23), (self.broken, 8), (self.busy, 9)):
            if failing:
                raise Refused(code)
        return token

    def node_for(self, asked):
        if self.options.sticky and asked.channel(needed=False):
            key = asked.channel(needed=False).encode()
            return self.nodes[zlib.crc32(key) % len(self.nodes)]
        self.next += 1
        return self.nodes[(self.next - 1) % len(self.nodes)]

    # --- for the test -----------------------------------------------------------------------------

    def control(self, request):
        path, query = urllib.parse.urlsplit(request.path)[2:4]
        parameters = dict(urllib.parse.parse_qsl(query))
        if path == "/__events":
            events = [event for node in self.nodes for event in node.indexed]
            lines = [json.dumps(event) + "\n" for event in events[int(parameters.get("from", 0)):]]
            return 200, "".join(lines).encode(), {}
        if path == "/__counts":
            return 200, json.dumps(self.counted()).encode(), JSON
        if path == "/__restart":
            self.lost += sum(node.restart() for node in self.chosen(parameters.get("node")))
            return 200, b"", {}
        if path == "/__state":
            self.change(json.loads(request.body))
            return 200, b"", {}
        return None

    def counted(self):
        return {"codes": self.counts, "events": sum(node.count for node in self.nodes),
                "waiting": sum(node.queued() for node in self.nodes), "lost": self.lost}

    def chosen(self, number):
        return self.nodes if number is None else [self.nodes[int(number)]]

    def change(self, state):
        nodes = self.chosen(state.pop("node", None))
        self.tokens.update({name: Token(more) for name, more in state.pop("tokens", {}).items()})
        self.options.ack_delay = state.pop("ack_delay", self.options.ack_delay)
        for name in ("indexing", "ack_service"):
            if name in state:
                value = state.pop(name)
                for node in nodes:
                    setattr(node, name, value)
                    node.step()
        for name, value in state.items():
            getattr(self, name)  # there is such a thing
            setattr(self, name, value)


def main():
    parser = faults.parser(__doc__)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--sticky", action="store_true")
    parser.add_argument("--token", action="append", metavar="TOKEN[:OPTION,...]")
    parser.add_argument("--ack-delay", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--queue", type=int, default=10**6, metavar="EVENTS",
                        help="of each node, that wait to be indexed")
    parser.add_argument("--acks", type=int, default=10**6, metavar="IDS",
                        help="of each channel, that nobody has asked for")
    parser.add_argument("--limit", type=int, default=800 << 20, metavar="BYTES",
                        help="413, in HTML, to bodies that unpack to more")
    parser.add_argument("--index-from", type=int, choices=(0, 1), default=1,
                        help="what the first event's number is where its index is refused (code "
                             "7): 1 as Splunk 10.4 was measured, 0 as the documentation has it")
    parser.add_argument("--forget", action="store_true",
                        help="counts events, and keeps none: to measure with")
    args = parser.parse_args()
    faults.serve(Receiver(args), args)


if __name__ == "__main__":
    sys.exit(main())
