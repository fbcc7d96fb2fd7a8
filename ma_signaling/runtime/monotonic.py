"""A reactor on a time of its own: neither a step of the calendar clock nor a standstill moves its timers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall, ReactorBase

MAX_STEP = 1.0
"""Of a time in which nothing ran, at most so many seconds count; the reactor looks twice as often at least."""


def running_time(clock: Callable[[], float]) -> Callable[[], float]:
    """Return a clock of the seconds in which this process has run, by ``clock``.

    While it is suspended, or one turn takes long, peers can neither be heard nor answered: whatever they have a time
    for, such as coming back, they get as much more.
    """
    looked_at, stood_still = clock(), 0.0

    # Read several times in each turn of the loop: variables of a function cost half of what an object's do.
    def seconds() -> float:
        nonlocal looked_at, stood_still
        now = clock()
        if now - looked_at > MAX_STEP:
            stood_still += now - looked_at - MAX_STEP
        looked_at = now
        return now - stood_still

    return seconds


def use_monotonic_time(reactor: ReactorBase, clock: Callable[[], float] = time.monotonic) -> None:
    """Let ``reactor``, and with it every timer in this process, go by ``running_time(clock)``.

    Twisted's reactors go by ``time.time``. All of them read their own ``seconds``, so that replacing it suffices,
    whichever of them twistd has installed. Timers that are set already keep the time that is left to them.
    """
    left: list[tuple[Any, float]] = [
        (call, call.getTime() - reactor.seconds())
        for call in reactor.getDelayedCalls()
        if isinstance(call, DelayedCall)
    ]
    replaced: Any = reactor
    replaced.seconds = running_time(clock)
    for call, seconds in left:
        call.seconds = replaced.seconds
        call.reset(max(0.0, seconds))

    def look() -> None:
        reactor.callLater(MAX_STEP / 2, look)

    look()
