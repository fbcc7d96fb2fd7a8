"""Turns of the reactor: a bound on the events of one, and less overhead for each.

What one socket gets of a turn is bounded in ``transport``. But if hundreds are flooded at the same time, timers and all
other peers would have to wait for all of them. The kernel hands out ready sockets in rotation, so none is starved.

Twisted sets a log context around each event, for a prefix of log lines that isn't used here. That costs as much as the
system call that reads the socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.logger import Logger

MAX_EVENTS = 32
"""How many sockets are read or written in one turn; each takes some milliseconds at most."""

_log = Logger(namespace="ma_signaling")


def bound_turns(reactor: ReactorBase) -> None:
    """Let each turn of ``reactor`` handle at most ``MAX_EVENTS``; only Twisted's epoll reactor is changed."""
    changed: Any = reactor
    if _is_epoll(reactor):
        changed.doIteration = _turn(changed)
    else:
        _log.warn(
            "{reactor} is not Twisted's epoll reactor: the input of one turn has no bound, so a flood delays others",
            reactor=type(reactor).__name__,
        )


def _is_epoll(reactor: ReactorBase) -> bool:
    try:
        from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415 - Linux alone has it
    except ImportError:
        return False
    return isinstance(reactor, EPollReactor)


def _turn(reactor: Any) -> Callable[[float | None], None]:
    """Return a replacement for ``doPoll`` of an epoll reactor, which waits for events and handles them."""
    poll, selectables, read_or_write = reactor._poller.poll, reactor._selectables, reactor._doReadOrWrite  # noqa: SLF001

    def turn(timeout: float | None) -> None:
        for descriptor, event in poll(-1 if timeout is None else timeout, MAX_EVENTS):
            selectable = selectables.get(descriptor)
            # An earlier event may have closed it.
            if selectable is not None:
                try:
                    read_or_write(selectable, descriptor, event)
                except Exception:  # noqa: BLE001 - it concerns nobody else
                    _log.failure("An event was not handled")

    return turn
