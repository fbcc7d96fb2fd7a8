"""One home's sessions, and the starts of sessions within the last minute, shared between clients' addresses."""

from __future__ import annotations

from typing import Any

from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.shared_window import SharedWindow
from ma_signaling.core.shares import Place, Shares
from ma_signaling.core.sliding_window import MINUTE


class Crowd:
    """The shares of the addresses that have sessions with one home."""

    __slots__ = ("_sessions", "_started")

    def __init__(self) -> None:
        self._sessions: Shares[Any] = Shares(0)
        self._started = SharedWindow(MINUTE)

    def start(self, key: str, now: float, per_minute: int) -> float:
        """Count a new session of the address ``key`` and return 0; otherwise return the seconds until one may start.

        Beyond ``per_minute`` (0: no limit) an address with fewer starts than its share is still admitted, until there
        are twice as many in all.
        """
        return self._started.admit(blocks_of(key), now, per_minute, 2 * per_minute)

    def is_full(self, max_open: int) -> bool:
        """Return whether there are ``max_open`` sessions (0: no limit) or more."""
        return 0 < max_open <= self._sessions.used

    def make_way(self, key: str) -> Any | None:
        """Return the session to evict for one of the address ``key``, the newest of the address with most, or None."""
        return self._sessions.make_way(blocks_of(key))

    def enter(self, session: Any, key: str) -> Place[Any]:
        """Give a session its place."""
        return self._sessions.take(blocks_of(key), session)
