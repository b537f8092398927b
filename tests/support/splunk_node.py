"""One indexer behind a Splunk receiver of the tests: its queue, what it has indexed, and for each
channel the acknowledgements that it owes. Nothing of it is known to another node, nor to itself
after a restart, but what it has indexed."""

import time

from splunk_codes import Refused

NEAR = 0.8  # of a capacity: from there on it warns


class Channel:
    """Ids count from 0. `owed`: id -> when it may be told, None as long as it is not indexed."""

    def __init__(self):
        self.next, self.owed = 0, {}


class Node:
    """`options`: ack_delay (seconds), queue (events), acks (for each channel), see
    splunk_receiver.py. `indexing`: what is accepted is indexed at once; else it waits."""

    def __init__(self, number, options):
        self.number, self.options = number, options
        self.indexing, self.ack_service = True, True
        self.indexed, self.count = [], 0
        self.forget()

    def forget(self):
        self.waiting, self.channels = [], {}

    def restart(self):
        """What waits is lost, and so is every acknowledgement."""
        lost = sum(len(events) for events, _, _ in self.waiting)
        self.forget()
        return lost

    # --- taking ---------------------------------------------------------------------------------

    def queued(self):
        return sum(len(events) for events, _, _ in self.waiting)

    def take(self, events, channel, wants_ack):
        """The id to ask for, None without; and the code. Refused where there is no room."""
        if self.queued() + len(events) > self.options.queue:
            raise Refused(26)
        identity, code = None, 0
        if wants_ack:
            identity, code = self.owe(channel)
        self.waiting.append((events, channel, identity))
        self.step()
        if self.queued() >= NEAR * self.options.queue:
            code = 24
        return identity, code

    def owe(self, name):
        channel = self.channels.setdefault(name, Channel())
        if len(channel.owed) >= self.options.acks:
            raise Refused(27)
        identity, channel.next = channel.next, channel.next + 1
        channel.owed[identity] = None
        return identity, 25 if len(channel.owed) >= NEAR * self.options.acks else 0

    def step(self):
        """Indexes what waits, where it may."""
        while self.indexing and self.waiting:
            events, name, identity = self.waiting.pop(0)
            self.count += len(events)
            if not self.options.forget:
                about = {"node": self.number, "channel": name}
                self.indexed += [{**event, **about} for event in events]
            if identity is not None:
                self.channels[name].owed[identity] = time.monotonic() + self.options.ack_delay

    # --- acknowledging ----------------------------------------------------------------------------

    def acknowledged(self, name, ids):
        """Of each id whether it is indexed. True is told once; unknown ones are false."""
        channel = self.channels.get(name, Channel())
        found = {}
        for identity in ids:
            ready = channel.owed.get(identity)
            found[str(identity)] = ready is not None and ready <= time.monotonic()
        for identity in ids:
            if found[str(identity)]:
                channel.owed.pop(identity, None)
        return found

    def health(self, asks_acks):
        full = self.queued() >= self.options.queue
        if asks_acks and not self.ack_service:
            return 20 if full else 19
        return 18 if full else 17
