"""How much one turn of the reactor takes in."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import CONNECTION_LOST
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.turns import MAX_EVENTS, bound_turns


class Poller:
    """Stands in for epoll, with more that are ready than are taken in."""

    def __init__(self) -> None:
        self.asked: list[tuple[float | None, int]] = []
        self.register = self.modify = self.unregister = self.close = self.fileno = lambda *_: "passed on"

    def poll(self, timeout: float | None, maxevents: int) -> list[tuple[int, int]]:
        """Report as many events as are asked for."""
        self.asked.append((timeout, maxevents))
        return [(number, 1) for number in range(maxevents)]


class Reader:
    """A socket that has something to read."""

    breaks = False
    was_read = False

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._there.send(b"x")

    def fileno(self) -> int:
        """Return the descriptor that is watched."""
        return self._here.fileno()

    def logPrefix(self) -> str:
        """Return what Twisted's log context would have."""
        return "a reader"

    def doRead(self) -> object:
        """Read it, and be closed where it breaks."""
        self._here.recv(1)
        self.was_read = True
        return CONNECTION_LOST if self.breaks else None

    def connectionLost(self, _: object) -> None:
        """Raise what no part of Twisted expects."""
        raise RuntimeError("broken")

    def close(self) -> None:
        """Close both ends."""
        self._here.close()
        self._there.close()


class EpollTest(SynchronousTestCase):
    """On Twisted's own reactor."""

    def setUp(self) -> None:
        self.reactor = EPollReactor()
        bound_turns(self.reactor)
        self.addCleanup(self.reactor._poller.close)
        for end in self.reactor._internalReaders:
            self.addCleanup(end.connectionLost, None)

    def readers(self, count: int) -> list[Reader]:
        """Return so many, which the reactor watches."""
        readers = [Reader() for _ in range(count)]
        for reader in readers:
            self.addCleanup(reader.close)
            self.reactor.addReader(reader)
        return readers

    def test_a_turn_is_bounded(self) -> None:
        readers = self.readers(MAX_EVENTS + 3)
        self.reactor.doIteration(0)
        self.assertEqual(sum(reader.was_read for reader in readers), MAX_EVENTS)
        self.reactor.doIteration(None)
        self.assertTrue(all(reader.was_read for reader in readers))

    def test_an_exception_concerns_nobody_else(self) -> None:
        readers = self.readers(3)
        readers[0].breaks = True
        self.reactor.doIteration(0)
        self.assertTrue(all(reader.was_read for reader in readers))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_one_that_an_earlier_event_closed(self) -> None:
        first, second = self.readers(2)

        def close_the_other() -> None:
            self.reactor.removeReader(second)

        first.doRead = close_the_other  # type: ignore[method-assign]
        self.reactor.doIteration(0)
        self.assertFalse(second.was_read)


class OtherReactorsTest(SynchronousTestCase):
    """On asyncio's, which a node of a cluster runs on, and elsewhere."""

    def test_asyncio(self) -> None:
        poller = Poller()
        selector = SimpleNamespace(_selector=poller)
        bound_turns(SimpleNamespace(_asyncioEventloop=SimpleNamespace(_selector=selector)))  # type: ignore[arg-type]
        bounded: Any = selector._selector
        self.assertEqual(
            [len(bounded.poll(0.5, count)) for count in (1000, 3, -1)], [MAX_EVENTS, 3, MAX_EVENTS]
        )
        self.assertEqual(poller.asked, [(0.5, MAX_EVENTS), (0.5, 3), (0.5, MAX_EVENTS)])
        self.assertEqual({bounded.register(7, 1), bounded.modify(7, 1), bounded.unregister(7)}, {"passed on"})

    def test_elsewhere(self) -> None:
        """All are taken in."""
        bound_turns(SimpleNamespace())  # type: ignore[arg-type]
