"""The guard against guessing: too many unknown Remote IDs block an address's lookups for a while."""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.sliding_window import MINUTE

FIRST_BLOCK = 60.0
LONGEST_BLOCK = 3600.0
FORGIVENESS = 600.0
"""Seconds without a block that undo one doubling."""

MAX_STRIKES = 7
"""More doublings than these would not make a block longer."""


class GuessingGuard:
    """The unknown Remote IDs of one address, and its block: 60 s, doubled with every repeat, up to an hour."""

    __slots__ = ("_guesses", "_strikes", "blocked_until")

    def __init__(self) -> None:
        self._guesses: dict[str, float] = {}
        self._strikes = 0
        self.blocked_until = 0.0

    def guess(self, now: float, remote_id: str, max_guesses: int) -> bool:
        """Count an unknown Remote ID; return True if it begins a block, as the ``max_guesses``-th within a minute."""
        self._forget(now)
        self._guesses.pop(remote_id, None)
        self._guesses[remote_id] = now
        if not 0 < max_guesses <= len(self._guesses):
            return False
        self._guesses.clear()
        forgiven = max(0, int((now - self.blocked_until) // FORGIVENESS))
        self._strikes = max(0, self._strikes - forgiven)
        self.blocked_until = now + min(LONGEST_BLOCK, FIRST_BLOCK * 2**self._strikes)
        self._strikes = min(self._strikes + 1, MAX_STRIKES)
        return True

    def is_idle(self, now: float) -> bool:
        """Return whether the guard can be forgotten: no recent guess, no block, no doubling left."""
        self._forget(now)
        return not self._guesses and now >= self.blocked_until + self._strikes * FORGIVENESS

    def _forget(self, now: float) -> None:
        while self._guesses and now - next(iter(self._guesses.values())) >= MINUTE:
            del self._guesses[next(iter(self._guesses))]


class Guessing:
    """Guesses and blocks by client address; at most ``remembered_addresses`` are kept."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._guards = LruTable(GuessingGuard, settings.remembered_addresses)
        self._blocked: dict[str, float] = {}

    def guess(self, key: str, now: float, remote_id: str) -> bool:
        """Count an unknown Remote ID; return True if it blocks the address's lookups from now on."""
        guard = self._guards[key]
        if not guard.guess(now, remote_id, self._settings.guesses_per_minute):
            return False
        self.block(key, guard.blocked_until)
        return True

    def block(self, key: str, until: float) -> None:
        """Block an address's lookups until ``until``, or until the end of an existing block if that is later."""
        known = self._blocked.get(key)
        if known is None and len(self._blocked) >= self._settings.remembered_addresses:
            del self._blocked[next(iter(self._blocked))]
        self._blocked[key] = until if known is None else max(until, known)

    def blocks(self, now: float) -> list[tuple[str, float]]:
        """Return the addresses whose lookups are blocked, each with the seconds that are left."""
        return [(key, until - now) for key, until in self._blocked.items() if until > now]

    def unblock(self, key: str) -> bool:
        """End a block and forget the guesses behind it; return False if there was none."""
        self._guards.discard(key)
        return self._blocked.pop(key, None) is not None

    def blocked_for(self, key: str, now: float) -> float:
        """Return the seconds until the address may look up again."""
        return max(0.0, self._blocked.get(key, 0.0) - now)

    def prune(self, now: float) -> None:
        """Drop blocks that are over and idle guards."""
        for key in [key for key, until in self._blocked.items() if until <= now]:
            del self._blocked[key]
        self._guards.prune(now)

    def counts(self) -> dict[str, int]:
        """Return how many addresses are remembered, for ``/health``."""
        return {"blockedIps": len(self._blocked), "failedLookupTracked": len(self._guards)}
