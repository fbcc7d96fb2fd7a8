"""One turn of the reactor: a bound on what it takes in, and no more work around each event than it needs.

What one socket gets of a turn is bounded (``transport``). Where hundreds are flooded at once, each with all that it
gets, timers and those who wait to be answered would wait for all of them. The kernel hands out those that are ready in
turn, so nobody is passed over.

Twisted keeps a log context around each event, for a prefix of log lines that the log here doesn't print. It costs as
much as the system call that reads the socket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.logger import Logger

MAX_EVENTS = 32
"""Sockets that are read or written in one turn; one takes some milliseconds of it at most."""

_log = Logger(namespace="ma_signaling")


def bound_turns(reactor: ReactorBase) -> None:
    """Let each turn of ``reactor`` take in ``MAX_EVENTS`` at most; any but Twisted's on epoll stays as it is."""
    changed: Any = reactor
    if _is_epoll(reactor):
        changed.doIteration = _turn(changed)
    else:
        _log.warn(
            "{reactor} is not Twisted's reactor on epoll: what one turn takes in has no bound, a flood delays others",
            reactor=type(reactor).__name__,
        )


def _is_epoll(reactor: ReactorBase) -> bool:
    try:
        from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415 - Linux alone has it
    except ImportError:
        return False
    return isinstance(reactor, EPollReactor)


def _turn(reactor: Any) -> Callable[[float | None], None]:
    """Return what waits for events of an epoll reactor and handles them, in place of ``doPoll``."""
    poll, selectables, read_or_write = reactor._poller.poll, reactor._selectables, reactor._doReadOrWrite  # noqa: SLF001

    def turn(timeout: float | None) -> None:
        for descriptor, event in poll(-1 if timeout is None else timeout, MAX_EVENTS):
            selectable = selectables.get(descriptor)
            # An event before it may have closed it.
            if selectable is not None:
                try:
                    read_or_write(selectable, descriptor, event)
                except Exception:  # noqa: BLE001 - it concerns nobody else
                    _log.failure("An event was not handled")

    return turn
