"""Timers that are equally far away, and are mostly called off: they share one of the clock's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from ma_signaling.core.peer import Clock
from ma_signaling.core.run_all import run_all


class QueuedTimer:
    """One of them (``core.peer.Timer``)."""

    __slots__ = ("at", "call")

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Call nothing when it is due."""
        self.call = None


class TimerQueue:
    """All that are so many seconds away when they begin."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._waiting: deque[QueuedTimer] = deque()
        self._is_ticking = False

    def begin(self, call: Callable[[], None]) -> QueuedTimer:
        """Make a call when the time is up."""
        timer = QueuedTimer(self._clock.seconds() + self._seconds, call)
        self._waiting.append(timer)
        if not self._is_ticking:
            self._is_ticking = True
            self._clock.callLater(self._seconds, self._tick)
        return timer

    def _tick(self) -> None:
        now, due = self._clock.seconds(), []
        while self._waiting and (self._waiting[0].call is None or self._waiting[0].at <= now):
            due.append(self._waiting.popleft())
        self._is_ticking = bool(self._waiting)
        if self._waiting:
            self._clock.callLater(self._waiting[0].at - now, self._tick)
        run_all(partial(_make, timer) for timer in due)


def _make(timer: QueuedTimer) -> None:
    # One that was due before it may have called it off.
    if timer.call is not None:
        timer.call()
