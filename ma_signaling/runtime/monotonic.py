"""A reactor on a time of its own: neither a step of the calendar clock nor a standstill moves its timers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall, ReactorBase

MAX_STEP = 1.0
"""What counts of a time in which nothing ran, in seconds; the reactor looks at least twice as often."""


class RunningTime:
    """The seconds in which this process has run.

    While it is suspended, or one turn takes long, peers can neither be heard nor answered: whatever they have a time
    for, such as coming back, they get as much more.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._looked_at = self._now = clock()

    def __call__(self) -> float:
        before, self._looked_at = self._looked_at, self._clock()
        self._now += min(self._looked_at - before, MAX_STEP)
        return self._now


def use_monotonic_time(reactor: ReactorBase, clock: Callable[[], float] = time.monotonic) -> None:
    """Let ``reactor``, and with it every timer in this process, go by a ``RunningTime`` of ``clock``.

    Twisted's reactors go by ``time.time``. All of them read their own ``seconds``, so that replacing it suffices,
    whichever of them twistd has installed. Timers that are set already keep the time that is left to them.
    """
    left: list[tuple[Any, float]] = [
        (call, call.getTime() - reactor.seconds())
        for call in reactor.getDelayedCalls()
        if isinstance(call, DelayedCall)
    ]
    replaced: Any = reactor
    replaced.seconds = RunningTime(clock)
    for call, seconds in left:
        call.seconds = replaced.seconds
        call.reset(max(0.0, seconds))

    def look() -> None:
        reactor.callLater(MAX_STEP / 2, look)

    look()
