"""What peers leave behind is freed at once: nothing of it waits for a search of the garbage collector."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_server import CLOSE, Server, Socket, frame

GOODBYE = frame(CLOSE, b"\x03\xe8")
OWN = "ma_signaling."


class GarbageTest(SynchronousTestCase):
    """Peers of each kind come and go, with a goodbye and without."""

    def setUp(self) -> None:
        self.server = Server()

    @contextmanager
    def searched(self) -> Iterator[None]:
        """Fail if what is done within leaves objects of this project that refer to each other."""
        gc.collect()
        # What other tests have made may become garbage now.
        before = {id(each) for each in gc.get_objects()}
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            yield
            gc.collect()
            left = Counter(
                type(each).__qualname__
                for each in gc.garbage
                if type(each).__module__.startswith(OWN) and id(each) not in before
            )
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        self.assertEqual(left, {})

    def gone(self, *peers: Socket, says_goodbye: bool = True) -> None:
        """Let peers go, as Twisted does: it forgets their protocols."""
        for peer in peers:
            if says_goodbye:
                peer.send(GOODBYE)
            peer.lose(clean=says_goodbye)
            peer.transport.unregisterProducer()
            del peer.transport.protocol

    def test_homes(self) -> None:
        for says_goodbye in (True, False):
            with self.searched():
                for number in range(20):
                    self.gone(self.server.home(host=f"192.0.2.{number}"), says_goodbye=says_goodbye)
                    self.server.advance(60)

    def test_sessions(self) -> None:
        home = self.server.home()
        for says_goodbye in (True, False):
            with self.searched():
                for number in range(20):
                    client, session = self.server.session(home, f"198.51.100.{number}")
                    for size in (10, 6000):
                        client.say(type="offer", sessionId=session, data="x" * size)
                        client.say(type="ice-candidate", sessionId=session, data="x" * size)
                    self.gone(client, says_goodbye=says_goodbye)
                    home.frames()

    def test_answered_sessions(self) -> None:
        home = self.server.home()
        with self.searched():
            for number in range(20):
                client, session = self.server.session(home, f"198.51.100.{number}")
                client.say(type="offer", sessionId=session, data="x")
                home.say(type="answer", sessionId=session, data="x")
                self.gone(client)
                home.frames()

    def test_a_home_that_leaves_its_clients(self) -> None:
        with self.searched():
            for _ in range(3):
                home = self.server.home()
                client, session = self.server.session(home)
                client.say(type="offer", sessionId=session, data="x" * 9000)
                self.gone(home)
                self.gone(client)
                self.server.advance(60)

    def test_a_crowd_of_clients(self) -> None:
        """Blocks of addresses grow and shrink, and sessions make way for others."""
        home = self.server.home()
        with self.searched():
            for _ in range(2):
                crowd = [self.server.session(home, f"198.51.{number}.1")[0] for number in range(30)]
                self.gone(*crowd)
                home.frames()

    def test_others(self) -> None:
        with self.searched():
            for number in range(10):
                host = f"203.0.113.{number}"
                asks = self.server.accept(host)
                asks.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                says_nothing = self.server.accept(host)
                is_refused = self.server.accept(host)
                is_refused.send(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n")
                for peer in (asks, says_nothing, is_refused):
                    self.gone(peer, says_goodbye=False)
                is_bad = self.server.connect(host)
                is_bad.send(frame(3, b"x"))
                self.gone(is_bad, says_goodbye=False)
