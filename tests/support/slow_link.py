"""A slow link before a server: a TCP relay on loopback with a rate, a delay and bad days.

    with SlowLink(server.port, rate=8000, delay=1.5) as link:      # 64 kbit/s, 3 s round trip
        ... the agent sends to https://127.0.0.1:{link.port} ...
        link.black_hole()       # every packet of the client vanishes: no ACK, no RST, no SYN-ACK
        link.forget()           # only those of the connections that are there: half-open for ever
        link.swallow()          # all is taken and acknowledged, nothing is passed on: a proxy hangs
        link.freeze()           # nothing moves, nothing is lost: windows fill
        link.reset()            # every connection ends with RST; new ones are as before
        link.down()             # the same, and new ones are refused
        link.up()               # all is well; a connection whose bytes were swallowed stays dead
        link.sent, link.received                # bytes from the client and to it, TLS included

Each way is a queue before a modem: a chunk leaves when the modem is free and arrives `delay`
seconds later. All connections share it. It holds `queue` bytes that wait for the modem; beyond that
nothing is read, and the sender waits. Not modelled: TCP's own handshake and acknowledgements, which
the kernel answers at once in place of the far end (but for black_hole() and forget(), which drop
packets before TCP sees them), and the headers of packets.

The relay is one thread; the methods may be called from any other.
"""

import asyncio
import contextlib
import ctypes
import select
import socket
import struct
import threading
import time

CHUNK_SECONDS = 0.05  # how finely bytes are cut at the link's rate
CHUNK = 65536  # at most
KERNEL_BUFFER = 16384  # behind a slow link bytes wait where they can be counted
UP, DARK, SWALLOWING, FROZEN, DOWN = "up", "dark", "swallowing", "frozen", "down"
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27  # Linux; the module socket does not name them
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: return 0 bytes of any packet


class Way:
    """One way of the link, for all connections. Pure arithmetic; `now` in seconds."""

    def __init__(self, rate, delay, queue):
        self.rate, self.delay, self.queue = rate, delay, queue
        self.free_at = 0.0  # when the modem has sent all that it has
        self.bytes = 0  # taken in, also those that were swallowed

    def chunk(self):
        return max(1, min(CHUNK, int(self.rate * CHUNK_SECONDS))) if self.rate else CHUNK

    def full_for(self, now):
        """How long until the queue has room; 0 where it has."""
        return max(0.0, self.free_at - now - self.queue / self.rate) if self.rate else 0.0

    def take(self, size, now):
        """When these bytes arrive at the other end."""
        self.bytes += size
        if self.rate:
            self.free_at = max(self.free_at, now) + size / self.rate
            now = self.free_at
        return now + self.delay


class Pipe:
    """One way of one connection. Having lost bytes it loses all that follow: it is half-open."""

    def __init__(self, link, way, source, target):
        self.link, self.way, self.source, self.target = link, way, source, target
        self.on_its_way = asyncio.Queue()  # (due, bytes); no bytes: the end of the stream
        self.lost = False

    def swallows(self):
        self.lost = self.lost or self.link.mode == SWALLOWING
        return self.lost

    async def read(self):
        loop = asyncio.get_running_loop()
        while True:
            await self.link.moving.wait()
            while pause := self.way.full_for(time.monotonic()):
                await asyncio.sleep(pause)
            try:
                data = await loop.sock_recv(self.source, self.way.chunk())
            except OSError:
                if not self.swallows():
                    raise
                data = b""
            due = self.way.take(len(data), time.monotonic())
            if not self.swallows():
                self.on_its_way.put_nowait((due, data))
            elif not data:
                await asyncio.Event().wait()  # the other end never learns of it
            if not data:
                return

    async def write(self):
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self.on_its_way.get()
            await asyncio.sleep(due - time.monotonic())
            await self.link.moving.wait()
            if self.swallows():
                continue
            if not data:
                self.target.shutdown(socket.SHUT_WR)
                return
            await loop.sock_sendall(self.target, data)


class SlowLink:
    """`rate`: bytes a second each way, 0 for no limit; `delay`: seconds one way; `queue`: bytes."""

    def __init__(self, target_port, *, rate=0, delay=0.0, queue=16384):
        self.target = ("127.0.0.1", target_port)
        self.up_way, self.down_way = Way(rate, delay, queue), Way(rate, delay, queue)
        self.mode = UP
        self.moving = None  # an event, not set while dark or frozen
        self.accepted = 0  # connections so far
        self.relays = set()  # a task for each connection
        self.pipes = {}  # of each connection: the client's socket, and its two ways
        self.forgotten = set()  # clients' sockets
        # Bound and never listening: the port stays ours while the link is down.
        self.reserved = self.bound(0)
        self.port = self.reserved.getsockname()[1]
        self.listener = self.listening = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="slow-link", daemon=True)

    def __enter__(self):
        self.thread.start()
        self.switch(UP)
        return self

    def __exit__(self, *error):
        self.switch(DOWN, reset=True)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.reserved.close()

    # --- switches: on return they are in force ----------------------------------------------------

    def up(self):
        self.switch(UP)

    def black_hole(self):
        self.switch(DARK)

    def forget(self):
        self.call(self.forget_in_loop())

    def swallow(self):
        self.switch(SWALLOWING)

    def freeze(self):
        self.switch(FROZEN)

    def reset(self):
        self.switch(self.mode, reset=True)

    def down(self):
        self.switch(DOWN, reset=True)

    def switch(self, mode, reset=False):
        self.call(self.switch_in_loop(mode, reset))

    def call(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    @property
    def sent(self):
        return self.up_way.bytes

    @property
    def received(self):
        return self.down_way.bytes

    @property
    def connections(self):
        """That are there now."""
        return len(self.relays)

    # --- in the loop's thread ---------------------------------------------------------------------

    async def switch_in_loop(self, mode, reset):
        self.moving = self.moving or asyncio.Event()
        if self.mode == SWALLOWING:  # what came is lost, also where it was not looked at yet
            for pipe in self.all_pipes():
                pipe.lost = pipe.lost or bool(select.select([pipe.source], [], [], 0)[0])
        self.mode = mode
        (self.moving.clear if mode in (DARK, FROZEN) else self.moving.set)()
        if mode == DOWN and self.listener:
            await end(self.listening)
            self.listener.close()
            self.listener = None
        elif mode != DOWN and not self.listener:
            self.listener = self.bound(self.port)
            self.listener.listen(64)
            self.listener.setblocking(False)
            self.listening = asyncio.ensure_future(self.accept())
        if reset:
            await end(*self.relays)
        for one in [self.listener, *self.pipes]:
            if one and one not in self.forgotten:
                drop_packets(one, mode == DARK)

    async def forget_in_loop(self):
        for pipe in self.all_pipes():
            pipe.lost = True
        for client in self.pipes:
            drop_packets(client, True)
        self.forgotten |= set(self.pipes)

    def all_pipes(self):
        return [pipe for pair in self.pipes.values() for pipe in pair]

    def bound(self, port):
        new = socket.socket()
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.keep_little(new)
        new.bind(("127.0.0.1", port))
        return new

    def keep_little(self, one):
        if self.up_way.rate:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)

    async def accept(self):
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(self.listener)
            self.accepted += 1
            relay = asyncio.ensure_future(self.relay(client))
            self.relays.add(relay)
            relay.add_done_callback(self.relays.discard)

    async def relay(self, client):
        server = socket.socket()
        self.keep_little(server)
        ends, clean = (client, server), False
        try:
            for one in ends:
                one.setblocking(False)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(server, self.target)
            sent = Pipe(self, self.up_way, client, server)
            answered = Pipe(self, self.down_way, server, client)
            self.pipes[client] = sent, answered
            await first_failure(sent.read(), sent.write(), answered.read(), answered.write())
            clean = True
        except OSError:
            pass  # one end broke, so does the other
        finally:
            self.pipes.pop(client, None)
            self.forgotten.discard(client)
            for one in ends:
                if not clean:  # RST
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()


def drop_packets(one, wanted):
    """What comes for this socket never reaches its TCP: nothing is acknowledged."""
    if wanted:
        program = ctypes.create_string_buffer(DROP_ALL)
        one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                       struct.pack("HP", 1, ctypes.addressof(program)))
    else:
        with contextlib.suppress(FileNotFoundError):  # it had none
            one.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


async def first_failure(*parts):
    """Runs them all to their end; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end(*tasks)


async def end(*tasks):
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await task
