"""Probing the holder of a Remote ID for a sign of life (docs/protocol.md, *Takeover*)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from secrets import token_bytes
from typing import Protocol

from ma_signaling.core.peer import Clock, Timer

PAUSE_SECONDS = 1.0
"""The shortest time between two probes of one holder."""

BUSY_SECONDS = 20.0
"""Seconds in all that a holder has if one of its sessions waits for an answer: homes handle one message at a time."""


class Life(Enum):
    """What a probe has shown so far."""

    UNKNOWN = auto()
    ALIVE = auto()
    SILENT = auto()


class Probed(Protocol):
    """The holder that is probed."""

    @property
    def is_busy(self) -> bool:
        """Whether one of its sessions waits for an answer; for a further one, for ``BUSY_SECONDS`` at most."""

    @property
    def pause(self) -> float:
        """Seconds until it may be probed again, however many newcomers come."""

    def ping(self, payload: bytes) -> None:
        """Send a WebSocket ping."""

    def after_reading(self, call: Callable[[], None]) -> None:
        """Call ``call`` once everything that has arrived was read (``Peer.after_reading``)."""


class Probe:
    """One ping with a random payload; a pong with it, or any message since the probe began, is a sign of life.

    The ping waits for ``Probed.pause``, and isn't sent if a message comes first.
    """

    def __init__(self, holder: Probed, clock: Clock, seconds: float, decided: Callable[[], None]) -> None:
        """Probe ``holder``, which has ``seconds``; ``decided`` is called once, when ``life`` is known."""
        self.life = Life.UNKNOWN
        self._holder = holder
        self._clock = clock
        self._seconds = seconds
        self._decided = decided
        self._payload = token_bytes(8)
        self._timer: Timer | None = None
        if holder.pause > 0:
            self._timer = clock.callLater(holder.pause, self._ping)
        else:
            self._ping()

    def pong(self, payload: bytes) -> None:
        """Handle a pong: if it answers this probe, the holder lives."""
        if payload == self._payload:
            self.message()

    def message(self) -> None:
        """Handle any message: the holder lives."""
        self._decide(Life.ALIVE)

    def cancel(self) -> None:
        """End the probe without calling ``decided``."""
        self._decided = _nothing
        self._decide(Life.UNKNOWN)

    def _ping(self) -> None:
        self._timer = self._clock.callLater(self._seconds, self._time_is_up)
        self._holder.ping(self._payload)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._holder.is_busy and self._seconds < BUSY_SECONDS:
            self._timer = self._clock.callLater(BUSY_SECONDS - self._seconds, self._time_is_up)
            self._seconds = BUSY_SECONDS
        else:
            self._holder.after_reading(self._silent)

    def _silent(self) -> None:
        self._decide(Life.SILENT)

    def _decide(self, life: Life) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.life is Life.UNKNOWN:
            self.life = life
            self._decided()


def _nothing() -> None: ...
