"""One timer that pings every connection in its turn, in place of two timers for each."""

from __future__ import annotations

from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ma_signaling.transport.direct_write import cork

SLOTS = 30


class Pinged(Protocol):
    """A connection that wants to be pinged; ``keep_alive`` must not raise."""

    slot: int

    def keep_alive(self) -> None: ...


class KeepAlive(Service):
    """A wheel: connections are spread over slots, and each tick visits one slot.

    A turn takes the ping interval. Turns are counted, not seconds: a clock that jumps kills nobody.
    """

    def __init__(self, reactor: IReactorTime, interval: float) -> None:
        self._slots: list[dict[Pinged, None]] = [{} for _ in range(SLOTS)]
        self._current = 0
        self._tick_seconds = interval / SLOTS
        self._loop = LoopingCall(self._tick)
        self._loop.clock = reactor

    def startService(self) -> None:
        super().startService()
        self._loop.start(self._tick_seconds, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def add(self, connection: Pinged) -> None:
        """Visit ``connection`` once a turn, for the first time after a whole one."""
        connection.slot = self._current
        self._slots[self._current][connection] = None

    def remove(self, connection: Pinged) -> None:
        """Visit it no more."""
        self._slots[connection.slot].pop(connection, None)

    def _tick(self) -> None:
        self._current = (self._current + 1) % SLOTS
        # Each is sent a WebSocket ping and a JSON ping: corked, in one packet.
        cork.put_in()
        try:
            for connection in list(self._slots[self._current]):
                connection.keep_alive()
        finally:
            cork.pull()
