"""How many sockets this server may hold, of whatever kind, and what may wait to be sent on all of them."""

from __future__ import annotations

import resource
from collections import Counter
from http import HTTPStatus

RESERVE = 100
"""Descriptors that are kept for all else: listeners, logs, and connections that are being turned away."""


class Capacity:
    """Counts open sockets, in all and by neighbour, against what may be.

    A socket counts for its neighbour until its WebSocket is open: from then on the limits of the heart apply. Trusted
    proxies speak for many and have no name here (None).
    """

    def __init__(self, most: int, most_waiting: int) -> None:
        self.allow(most, most_waiting)
        self._waiting: Counter[str] = Counter()
        self.open = 0
        self.unsent = 0
        """Bytes that wait for slow peers."""

    def allow(self, most: int, most_waiting: int) -> None:
        """Let there be ``most`` sockets, of which one neighbour may have ``most_waiting`` (0: any number)."""
        self._most = most
        self._most_waiting = most_waiting

    @property
    def is_full(self) -> bool:
        """Whether the next socket is one too many."""
        return self.open >= self._most

    def take(self, neighbour: str | None) -> HTTPStatus | None:
        """Count one more socket; a status: it is one too many, and must go soon."""
        self.open += 1
        if neighbour is not None:
            self._waiting[neighbour] += 1
            if 0 < self._most_waiting < self._waiting[neighbour]:
                return HTTPStatus.TOO_MANY_REQUESTS
        return None if self.open <= self._most else HTTPStatus.SERVICE_UNAVAILABLE

    def opened(self, neighbour: str | None) -> None:
        """A WebSocket has opened on a socket that counted for ``neighbour``."""
        if neighbour is not None:
            self._waiting[neighbour] -= 1
            if not self._waiting[neighbour]:
                del self._waiting[neighbour]

    def give_back(self, neighbour: str | None) -> None:
        """A socket is gone; ``neighbour`` if it still counted for one."""
        self.open -= 1
        self.opened(neighbour)


def raise_descriptor_limit() -> None:
    """Allow this process as many descriptors as it may allow itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_sockets(wanted: int) -> int:
    """How many sockets to hold: ``wanted``, or with 0 what the descriptor limit allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = max(1, soft - RESERVE)
    return min(wanted, possible) if wanted else possible
