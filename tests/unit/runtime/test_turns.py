"""How much one turn of the reactor takes in."""

from __future__ import annotations

import socket

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.turns import MAX_EVENTS, bound_turns


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

    def test_other_reactors(self) -> None:
        """They stay as they are, and the log says so."""
        for kind in (SelectReactor, PollReactor):
            reactor = kind()
            for end in reactor._internalReaders:
                self.addCleanup(end.connectionLost, None)
            before = dict(vars(reactor))
            with capturedLogs() as logged:
                bound_turns(reactor)
            self.assertEqual(vars(reactor), before)
            self.assertEqual([event["reactor"] for event in logged], [kind.__name__])
