"""Work on many connections, done in slices so that no connection waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from time import perf_counter

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

SLICE_SECONDS = 0.005
"""How long a slice takes, of which each turn of the loop does one."""

STEP = 20
"""How many steps are taken between two looks at the clock."""


def in_slices(steps: Iterator[bool], reactor: IReactorTime) -> Deferred[int]:
    """Take all ``steps``, the first slice immediately; fires with how many were true, or with what one raised."""
    done: Deferred[int] = Deferred()
    _slice(steps, reactor, 0, done)
    return done


def _slice(steps: Iterator[bool], reactor: IReactorTime, count: int, done: Deferred[int]) -> None:
    until = perf_counter() + SLICE_SECONDS
    while perf_counter() < until:
        try:
            taken = list(islice(steps, STEP))
        except Exception:  # noqa: BLE001 - whoever waits is told
            done.errback()
            return
        count += sum(taken)
        if len(taken) < STEP:
            done.callback(count)
            return
    reactor.callLater(0, _slice, steps, reactor, count, done)
