"""How long an address that is refused again and again is told to wait: as long as it has been refused already.

Peers that wait as told come half as often each time. The back-off of a Music Assistant server begins anew with each
connection that opens, so it alone would come back every 10 s for ever. The time counts, not the number of refusals:
hundreds of homes may share one address.
"""

from __future__ import annotations

from ma_signaling.core.errors import WireError, whole_seconds
from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.peer import NEVER

MAX_WAIT = 300.0
"""The longest that an address is told to wait, in seconds: what the gateway waits at most."""


class _Streak:
    """Refusals of one address that followed on each other."""

    def __init__(self) -> None:
        self.since = 0.0
        self.until = NEVER
        """When the address may come again, as it was told last."""

    def is_idle(self, now: float) -> bool:
        """Return whether the address has stayed away, or was let in, for long enough to begin anew."""
        return now > self.until + MAX_WAIT


class Refusals:
    """The streaks of all addresses, of which a bounded number is remembered."""

    def __init__(self, max_addresses: int) -> None:
        self._streaks = LruTable(_Streak, max_addresses)

    def add(self, key: str, now: float, wait: float = 0.0) -> float:
        """Count a refusal of the address ``key``; return how many seconds it is to wait, ``wait`` at least."""
        streak = self._streaks[key]
        if streak.is_idle(now):
            streak.since = now
        wait = max(wait, min(now - streak.since, MAX_WAIT))
        streak.until = max(streak.until, now + wait)
        return wait

    def refuse(self, error: WireError, key: str, now: float) -> WireError:
        """Count a refusal of the address ``key``; return ``error`` with the time that it is to wait."""
        return error._replace(retry_after=whole_seconds(self.add(key, now, error.retry_after or 0)))

    def prune(self, now: float) -> None:
        """Forget what no longer matters; call it every few seconds."""
        self._streaks.prune(now)
