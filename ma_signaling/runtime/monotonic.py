"""A reactor on monotonic time: a step of the calendar clock moves no timer."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.base import DelayedCall, ReactorBase


def use_monotonic_time(reactor: ReactorBase) -> None:
    """Let ``reactor``, and with it every timer in this process, go by ``time.monotonic``.

    Twisted's reactors go by ``time.time``. All of them read their own ``seconds``, so that replacing it suffices,
    whichever of them twistd has installed. Timers that are set already keep the time that is left to them.
    """
    left: list[tuple[Any, float]] = [
        (call, call.getTime() - reactor.seconds())
        for call in reactor.getDelayedCalls()
        if isinstance(call, DelayedCall)
    ]
    replaced: Any = reactor
    replaced.seconds = time.monotonic
    for call, seconds in left:
        call.seconds = time.monotonic
        call.reset(max(0.0, seconds))
