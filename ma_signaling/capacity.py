"""How many sockets this server may hold, of whatever kind."""

from __future__ import annotations

import resource

RESERVE = 100
"""Descriptors that are kept for all else: listeners, logs, and connections that are being turned away."""


class Capacity:
    """Counts open sockets against ``most``. Whoever takes a place gives it back."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open = 0

    def take(self) -> bool:
        """Count one more socket; False: it is one too many, and must go soon."""
        self.open += 1
        return self.open <= self.most

    def give_back(self) -> None:
        """Count one less."""
        self.open -= 1


def raise_descriptor_limit() -> None:
    """Allow this process as many descriptors as it may allow itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_sockets(wanted: int) -> int:
    """How many sockets to hold: ``wanted``, or with 0 what the descriptor limit allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = max(1, soft - RESERVE)
    return min(wanted, possible) if wanted else possible
