"""Timers with equal delays, most of which are cancelled: they share one timer of the clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from ma_signaling.core.peer import Clock
from ma_signaling.core.run_all import run_all


class QueuedTimer:
    """A timer of a ``TimerQueue`` (implements ``core.peer.Timer``)."""

    __slots__ = ("at", "call")

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Prevent the call."""
        self.call = None


class TimerQueue:
    """Timers that are all due the same number of seconds after they begin."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._waiting: deque[QueuedTimer] = deque()
        self._is_ticking = False

    def begin(self, call: Callable[[], None]) -> QueuedTimer:
        """Call ``call`` when the queue's delay has passed, unless the timer is cancelled."""
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
    # A timer that was due earlier in the same tick may have cancelled this one.
    if timer.call is not None:
        timer.call()
