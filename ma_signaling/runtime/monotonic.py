"""Monotonic time for the reactor: neither a step of the calendar clock nor a standstill moves its timers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall, ReactorBase

MAX_STEP = 1.0
"""The most seconds that count of a time in which nothing ran; the reactor reads the clock at least twice as often."""


def running_time(clock: Callable[[], float]) -> Callable[[], float]:
    """Return a clock that counts only the seconds, by ``clock``, in which this process has run.

    While the process is suspended, or one turn takes long, peers can neither be heard nor answered. So all their
    deadlines, such as that for coming back, are extended by that time.
    """
    looked_at, stood_still = clock(), 0.0

    # A closure, for speed: it is called several times in each turn, and attributes would take twice as long.
    def seconds() -> float:
        nonlocal looked_at, stood_still
        now = clock()
        if now - looked_at > MAX_STEP:
            stood_still += now - looked_at - MAX_STEP
        looked_at = now
        return now - stood_still

    return seconds


def use_monotonic_time(reactor: ReactorBase, clock: Callable[[], float] = time.monotonic) -> None:
    """Let ``reactor``, and so every timer in this process, use ``running_time(clock)``.

    Twisted's reactors use ``time.time``. All of them call their own ``seconds``, so it suffices to replace that,
    whichever reactor twistd has installed. Timers that are already set keep their remaining time.
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
