"""How much is taken of what a WebSocket receives: a share in each turn of the loop, and nothing while it is paused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.interfaces import IReactorTime

from ma_signaling.core.run_all import run_all

MAX_STEPS = 128
"""Frames of one connection that are taken in one turn; Autobahn takes one in two steps, its header and its payload."""

MAX_GOING_ON = 32
"""Connections that go on in one turn with what was put off, beside those that are read then."""

MAX_PAUSE_SECONDS = 5.0
"""How long a connection beyond its budget is not read from, at most: its answer to a ping may be among the rest."""


class PutOff:
    """All connections with something that is put off: a bounded number goes on in one turn, in the order of time."""

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
            # Not before, so that who is put off again waits for its turn.
            for _ in now:
                self._due.popleft()
            if self._due:
                self._reactor.callLater(0, self._go_on)


class PacedReading(WebSocketServerProtocol):
    """Takes a bounded share of what was received, and the rest in later turns, with other connections in between.

    While something is put off, the socket isn't read: what the peer sends on stays with it.
    """

    transport: Any
    factory: Any
    is_put_off = False
    """Whether received bytes wait to be taken."""
    _steps_left = 0
    _rest = b""
    _pause_seconds = 0.0

    def dataReceived(self, data: bytes) -> None:
        if self.is_put_off:
            # TLS hands over all that one read has brought.
            self._rest += data
        else:
            self._take(data)

    def pause_reading(self, seconds: float) -> None:
        """Take nothing more for ``seconds``; to be called for what is being taken."""
        self._steps_left = 0
        self._pause_seconds = min(max(self._pause_seconds, seconds), MAX_PAUSE_SECONDS)

    def processData(self) -> bool:
        """Take one step, as Autobahn does; returns whether to go on. What is left stays in ``data``."""
        self._steps_left -= 1
        more: bool = super().processData()
        return more and self._steps_left > 0

    def _take(self, data: bytes) -> None:
        self._steps_left = MAX_STEPS
        rest = self._take_share(data)
        if self._steps_left <= 0 and self.state != self.STATE_CLOSED:
            self._put_off(rest)

    def _take_share(self, data: bytes) -> bytes:
        """Take ``data`` while there are steps left; returns what follows then, but for what Autobahn keeps itself."""
        super().dataReceived(data)
        return b""

    def _put_off(self, rest: bytes) -> None:
        self.is_put_off = True
        self._rest = rest
        seconds, self._pause_seconds = self._pause_seconds, 0.0
        self.transport.pauseProducing()
        self.factory.put_off.add(seconds, self._go_on)

    def _go_on(self) -> None:
        # Before all else: nothing of this connection is judged while something is put off.
        self.is_put_off = False
        rest, self._rest = self._rest, b""
        if self.state == self.STATE_CLOSED:
            return
        self._take(rest)
        if not self.is_put_off:
            self.transport.resumeProducing()
