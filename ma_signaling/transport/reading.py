"""How much is taken of what a WebSocket receives: a share in each turn of the loop, and nothing while it is paused."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol

MAX_STEPS = 128
"""Frames of one connection that are taken in one turn; Autobahn takes one in two steps, its header and its payload."""

MAX_PAUSE_SECONDS = 5.0
"""How long a connection beyond its budget is not read from, at most: its answer to a ping may be among the rest."""


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
        if self._steps_left <= 0:
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
        self.factory.reactor.callLater(seconds, self._go_on)

    def _go_on(self) -> None:
        if self.state == self.STATE_CLOSED:
            return
        self.is_put_off = False
        rest, self._rest = self._rest, b""
        self._take(rest)
        if not self.is_put_off:
            self.transport.resumeProducing()
