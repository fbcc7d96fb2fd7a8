"""A bound on what one turn of the reactor takes in: so many sockets, however many have something to read.

What one socket gets of a turn is bounded (``transport``). Where hundreds are flooded at once, each with all that it
gets, timers and those who wait to be answered would wait for all of them. The kernel hands out those that are ready in
turn, so nobody is passed over.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.base import ReactorBase

MAX_EVENTS = 32
"""Sockets that are read or written in one turn; one takes some milliseconds of it at most."""


class BoundedPoller:
    """An epoll object that reports so many events at once."""

    def __init__(self, poller: Any) -> None:
        self.register = poller.register
        self.modify = poller.modify
        self.unregister = poller.unregister
        self.close = poller.close
        self.fileno = poller.fileno
        self._poll = poller.poll

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Wait for events, at most ``MAX_EVENTS`` of them."""
        events: list[tuple[int, int]] = self._poll(
            timeout, MAX_EVENTS if maxevents < 0 else min(maxevents, MAX_EVENTS)
        )
        return events


def bound_turns(reactor: ReactorBase) -> None:
    """Let each turn of ``reactor`` take in ``MAX_EVENTS`` at most: Twisted's on epoll, or on asyncio's."""
    selector: Any = getattr(getattr(reactor, "_asyncioEventloop", None), "_selector", None)
    # Elsewhere than on epoll, all are taken in.
    for owner, name in ((reactor, "_poller"), (selector, "_selector")):
        if hasattr(owner, name):
            setattr(owner, name, BoundedPoller(getattr(owner, name)))
