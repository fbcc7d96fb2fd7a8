"""Paced reading of WebSockets: a bounded share of received bytes in each turn of the loop, none while paused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.interfaces import IReactorTime

from ma_signaling.core.run_all import run_all

MAX_STEPS = 128
"""Steps for one connection in one turn. A frame is one step; in Autobahn two, for header and payload."""

MAX_GOING_ON = 32
"""How many connections go on with put-off bytes in one turn, beside those that are read in it."""

MAX_PAUSE_SECONDS = 5.0
"""The longest pause of a connection beyond its budget: its answer to a ping may be in the unread bytes."""


class PutOff:
    """The connections with put-off bytes: a bounded number of them goes on in each turn, in order."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._due: deque[Callable[[], None]] = deque()

    def add(self, seconds: float, go_on: Callable[[], None]) -> None:
        """Call ``go_on`` after ``seconds``, in a later turn."""
        if seconds > 0:
            self._reactor.callLater(seconds, self.add, 0.0, go_on)
            return
        self._due.append(go_on)
        if len(self._due) == 1:
            self._reactor.callLater(0, self._go_on)

    def _go_on(self) -> None:
        now = list(islice(self._due, MAX_GOING_ON))
        try:
            run_all(now)
        finally:
            # Not earlier: ``add`` must not schedule another call for connections that are put off again.
            for _ in now:
                self._due.popleft()
            if self._due:
                self._reactor.callLater(0, self._go_on)


class PacedReading(WebSocketServerProtocol):
    """Handles a bounded share of the received bytes, and puts off the rest to later turns, after other connections.

    While bytes are put off, the socket isn't read, so that TCP holds the peer back.
    """

    transport: Any
    factory: Any
    is_put_off = False
    """Whether received bytes wait to be handled."""
    _steps_left = 0
    _rest = b""
    _pause_seconds = 0.0

    def dataReceived(self, data: bytes) -> None:
        if self.is_put_off:
            # TLS hands over everything that one read has brought, even after ``pauseProducing``.
            self._rest += data
        else:
            self._take(data)

    def pause_reading(self, seconds: float) -> None:
        """Handle nothing more for ``seconds``; to be called while a message is being handled."""
        self._steps_left = 0
        self._pause_seconds = min(max(self._pause_seconds, seconds), MAX_PAUSE_SECONDS)

    def processData(self) -> bool:
        """Take one of Autobahn's steps; return whether to go on. The rest stays in ``self.data``."""
        self._steps_left -= 1
        more: bool = super().processData()
        return more and self._steps_left > 0

    def _take(self, data: bytes) -> None:
        self._steps_left = MAX_STEPS
        rest = self._take_share(data)
        if self._steps_left <= 0 and self.state != self.STATE_CLOSED:
            self._put_off(rest)

    def _take_share(self, data: bytes) -> bytes:
        """Handle ``data`` while there are steps left; return the rest, without what Autobahn keeps in ``self.data``."""
        super().dataReceived(data)
        return b""

    def _put_off(self, rest: bytes) -> None:
        self.is_put_off = True
        self._rest = rest
        seconds, self._pause_seconds = self._pause_seconds, 0.0
        self.transport.pauseProducing()
        self.factory.put_off.add(seconds, self._go_on)

    def _go_on(self) -> None:
        # First of all: while it is set, no verdict about this connection is given.
        self.is_put_off = False
        rest, self._rest = self._rest, b""
        if self.state == self.STATE_CLOSED:
            return
        self._take(rest)
        if not self.is_put_off:
            self.transport.resumeProducing()
