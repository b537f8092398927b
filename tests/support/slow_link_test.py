#!/usr/bin/env python3
"""The slow link is as slow as it says, loses what it should, and counts every byte.

Lower bounds of time are promises and hold on any machine; upper ones are only deadlines.
"""

import contextlib
import errno
import fcntl
import socket
import struct
import termios
import threading
import time
import unittest

from agent import wait_until
from slow_link import SlowLink, Way

SECONDS = 20  # until something that must come is given up


class Echo:
    """A server that sends back what it gets; knows its connections."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []
        self.heard = bytearray()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.listener.accept()
                self.open.append(one)
                threading.Thread(target=self.serve, args=[one], daemon=True).start()

    def serve(self, one):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.heard += data
                one.sendall(data)
        self.open.remove(one)
        one.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which close() alone does not
        self.thread.join()
        self.listener.close()


def receive(one, size):
    data = b""
    while len(data) < size:
        more = one.recv(size - len(data))
        if not more:
            break
        data += more
    return data


class TheWay(unittest.TestCase):
    """Its arithmetic."""

    def test_bytes_arrive_after_the_modem_and_the_delay(self):
        way = Way(rate=1000, delay=2.0, queue=500)
        self.assertEqual(way.take(1000, now=10.0), 13.0)
        self.assertEqual(way.take(500, now=10.0), 13.5)  # behind the first
        self.assertEqual(way.take(1000, now=60.0), 63.0)  # an idle modem has saved nothing up
        self.assertEqual(way.bytes, 2500)

    def test_a_full_queue_says_when_it_has_room(self):
        way = Way(rate=1000, delay=2.0, queue=500)
        way.take(500, now=10.0)
        self.assertEqual(way.full_for(10.0), 0)
        way.take(500, now=10.0)
        self.assertEqual(way.full_for(10.0), 0.5)
        self.assertEqual(way.full_for(10.5), 0)

    def test_without_a_rate_only_the_delay(self):
        way = Way(rate=0, delay=2.0, queue=1)
        self.assertEqual([way.take(1 << 30, now=1.0), way.full_for(1.0)], [3.0, 0])


class TheLink(unittest.TestCase):
    def setUp(self):
        self.echo = Echo()
        self.addCleanup(self.echo.close)

    def link(self, **options):
        link = SlowLink(self.echo.port, **options)
        link.__enter__()
        self.addCleanup(link.__exit__)
        return link

    def connect(self, link):
        one = socket.create_connection(("127.0.0.1", link.port), SECONDS)
        self.addCleanup(one.close)
        return one

    def exchange(self, one, data=b"hello"):
        one.sendall(data)
        self.assertEqual(receive(one, len(data)), data)

    def assert_silent(self, one, seconds=0.3):
        one.settimeout(seconds)
        with self.assertRaises(socket.timeout):
            one.recv(1)
        one.settimeout(SECONDS)

    def test_what_is_sent_arrives_and_is_counted_both_ways(self):
        link = self.link()
        data = bytes(range(256)) * 4096
        with socket.create_connection(("127.0.0.1", link.port), SECONDS) as one:
            threading.Thread(target=one.sendall, args=[data]).start()
            self.assertEqual(receive(one, len(data)), data)
        self.assertEqual((link.sent, link.received, link.accepted), (len(data), len(data), 1))
        wait_until(lambda: not link.connections and not self.echo.open, SECONDS, "both ends closed")

    def test_the_end_of_a_stream_is_passed_on_alone(self):
        one = self.connect(self.link())
        one.sendall(b"request")
        one.shutdown(socket.SHUT_WR)
        self.assertEqual(receive(one, 100), b"request")

    def test_an_exchange_takes_at_least_the_round_trip(self):
        one = self.connect(self.link(delay=0.2))
        begin = time.monotonic()
        self.exchange(one)
        self.assertGreaterEqual(time.monotonic() - begin, 0.4)

    def test_bytes_take_at_least_their_time_and_connections_share_it(self):
        link = self.link(rate=40000)
        begin = time.monotonic()
        pair = [self.connect(link), self.connect(link)]
        for one in pair:
            one.sendall(b"x" * 10000)
        for one in pair:
            self.assertEqual(len(receive(one, 10000)), 10000)
        self.assertGreaterEqual(time.monotonic() - begin, 0.5)

    def test_a_sender_that_is_faster_has_to_wait(self):
        link = self.link(rate=1000, queue=2000)
        one = self.connect(link)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        one.settimeout(0.3)
        with self.assertRaises(socket.timeout):
            one.sendall(b"x" * (1 << 20))
        self.assertLess(link.sent, 10000)

    def test_a_swallowing_link_leaves_the_connection_half_open(self):
        link = self.link()
        one, untouched = self.connect(link), self.connect(link)
        self.exchange(one)
        self.exchange(untouched)
        link.swallow()
        one.sendall(b"swallowed")
        new = self.connect(link)  # accepted, as by a proxy that hangs
        new.sendall(b"swallowed")
        wait_until(lambda: link.sent == 5 + 5 + 9 + 9, SECONDS, "what was swallowed is counted")
        link.up()
        one.sendall(b"still")
        for dead in (one, new):
            self.assert_silent(dead)
        self.exchange(untouched)
        self.exchange(self.connect(link))
        self.assertNotIn(b"swallowed", self.echo.heard)

    def test_a_swallowing_link_hides_that_the_client_has_gone(self):
        link = self.link()
        one = self.connect(link)
        self.exchange(one)
        link.swallow()
        link.loop.call_soon_threadsafe(time.sleep, 0.2)  # up() comes before the relay has looked
        one.close()
        link.up()
        self.exchange(self.connect(link))
        self.assertEqual(len(self.echo.open), 2)

    def test_a_swallowing_link_swallows_what_was_on_its_way(self):
        link = self.link(delay=0.3)
        one = self.connect(link)
        one.sendall(b"hello")
        wait_until(lambda: link.sent == 5, SECONDS, "the bytes are on their way")
        link.swallow()
        self.assert_silent(one, 0.9)
        self.assertEqual(self.echo.heard, b"")

    def unacknowledged(self, one):
        """Bytes that the client's kernel has not seen acknowledged."""
        return struct.unpack("i", fcntl.ioctl(one, termios.TIOCOUTQ, b"    "))[0]

    def test_a_black_hole_acknowledges_nothing_and_tcp_survives_it(self):
        link = self.link()
        one = self.connect(link)
        self.exchange(one)
        link.black_hole()
        one.sendall(b"later")
        self.assert_silent(one)
        self.assertEqual(self.unacknowledged(one), 5)
        with self.assertRaises(socket.timeout):  # not refused either
            socket.create_connection(("127.0.0.1", link.port), 0.3)
        link.up()
        self.assertEqual(receive(one, 5), b"later")  # sent again by the client's kernel
        self.exchange(self.connect(link))

    def test_a_forgotten_connection_is_half_open_and_new_ones_work(self):
        link = self.link()
        one = self.connect(link)
        self.exchange(one)
        link.forget()
        self.exchange(self.connect(link))
        link.up()
        one.sendall(b"lost")
        self.assert_silent(one)
        self.assertEqual(self.unacknowledged(one), 4)
        self.assertEqual(len(self.echo.open), 2, "the server does not know")
        self.echo.open[0].sendall(b"lost too")
        self.assert_silent(one)

    def test_a_client_that_gives_up_a_forgotten_connection_is_told(self):
        link = self.link()
        one = self.connect(link)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
        self.exchange(one)
        link.forget()
        one.sendall(b"lost")
        with self.assertRaises(OSError) as error:
            one.recv(1)
        self.assertEqual(error.exception.errno, errno.ETIMEDOUT)

    def test_a_frozen_link_loses_nothing(self):
        link = self.link()
        one = self.connect(link)
        self.exchange(one)
        link.freeze()
        one.sendall(b"later")
        self.assert_silent(one)
        link.up()
        self.assertEqual(receive(one, 5), b"later")

    def test_reset_breaks_what_is_there_and_takes_new_connections(self):
        link = self.link()
        one = self.connect(link)
        self.exchange(one)
        link.reset()
        with self.assertRaises(ConnectionResetError):
            one.recv(1)
        wait_until(lambda: not self.echo.open, SECONDS, "the server has seen it")
        self.exchange(self.connect(link))

    def test_a_link_that_is_down_refuses_and_comes_back_at_its_port(self):
        link = self.link()
        one = self.connect(link)
        self.exchange(one)
        for _ in range(3):
            link.down()
            with self.assertRaises(ConnectionRefusedError):
                self.connect(link)
            link.up()
            self.exchange(self.connect(link))
        with self.assertRaises(ConnectionResetError):
            one.recv(1)

    def test_a_server_that_breaks_off_breaks_the_client(self):
        link = self.link()
        one = self.connect(link)
        self.exchange(one)
        self.echo.open[0].shutdown(socket.SHUT_RDWR)
        self.assertEqual(one.recv(1), b"")

    def test_nobody_behind_the_link(self):
        self.echo.close()
        link = self.link()
        with self.assertRaises(ConnectionError):
            self.exchange(self.connect(link))


if __name__ == "__main__":
    unittest.main(verbosity=0)
