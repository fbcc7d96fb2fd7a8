"""How long an address that is refused repeatedly is told to wait: as long as it has been refused already.

Peers that obey come half as often each time. A Music Assistant server's own back-off starts over with each connection
that opens, so it would come back every 10 s for ever. The time counts, not the number of refusals, since hundreds of
homes may share one address.
"""

from __future__ import annotations

from ma_signaling.core.errors import WireError, whole_seconds
from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.peer import NEVER

MAX_WAIT = 300.0
"""The longest wait in seconds, the same as the gateway's longest back-off."""


class _Streak:
    """A series of refusals of one address."""

    def __init__(self) -> None:
        self.since = 0.0
        self.until = NEVER
        """When the address may come again, as last told."""

    def is_idle(self, now: float) -> bool:
        """Return whether the address has not been refused for so long that a new series begins."""
        return now > self.until + MAX_WAIT


class Refusals:
    """The streaks of all addresses; their number is bounded."""

    def __init__(self, max_addresses: int) -> None:
        self._streaks = LruTable(_Streak, max_addresses)

    def add(self, key: str, now: float, wait: float = 0.0) -> float:
        """Count a refusal of the address ``key``; return the seconds that it must wait, at least ``wait``."""
        streak = self._streaks[key]
        if streak.is_idle(now):
            streak.since = now
        wait = max(wait, min(now - streak.since, MAX_WAIT))
        streak.until = max(streak.until, now + wait)
        return wait

    def refuse(self, error: WireError, key: str, now: float) -> WireError:
        """Count a refusal of the address ``key``; return ``error`` with the time that it must wait."""
        return error._replace(retry_after=whole_seconds(self.add(key, now, error.retry_after or 0)))

    def prune(self, now: float) -> None:
        """Drop idle streaks; call this every few seconds."""
        self._streaks.prune(now)
