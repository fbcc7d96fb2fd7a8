"""What each client address may do: open connections, look up Remote IDs, guess. The time is passed in, in seconds.

The rules are those of *Limits* in docs/protocol.md: what is scarce is counted per address, what is forwarded is charged
to its session (``token_bucket``), and no guest's traffic can block a home.
"""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.core.arrivals import Arrivals
from ma_signaling.core.credential_limits import CredentialLimits
from ma_signaling.core.guessing import Guessing
from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.refusals import Refusals
from ma_signaling.core.sliding_window import SlidingWindow

CHANGES_PER_MINUTE = 10
"""A home's connection needs none: its certificate, and so its Remote ID, changes with a restart at most."""


class Limits:
    """The limits of all client addresses; each is named by the key that it is counted by (``ClientAddress``)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.arrivals = Arrivals(settings)
        self._lookups = LruTable(SlidingWindow, settings.remembered_addresses)
        self._connect_requests = LruTable(SlidingWindow, settings.remembered_addresses)
        self._changes = LruTable(SlidingWindow, settings.remembered_addresses)
        self.guessing = Guessing(settings)
        self.credentials = CredentialLimits(settings)
        self.refusals = Refusals(settings.remembered_addresses)

    def lookup(self, key: str, now: float) -> float:
        """Count a lookup by HTTP; otherwise return the seconds until one is allowed, a block's included."""
        return self.guessing.blocked_for(key, now) or self._lookups[key].admit(
            now, self._settings.lookups_per_minute
        )

    def connect_request(self, key: str, now: float) -> float:
        """Count a connect-request; otherwise return the seconds until one is allowed, a block's included."""
        return self.guessing.blocked_for(key, now) or self._connect_requests[key].admit(
            now, self._settings.connect_requests_per_minute
        )

    def change(self, key: str, now: float) -> float:
        """Count another Remote ID of a connection; otherwise return the seconds until one is allowed."""
        return self._changes[key].admit(now, CHANGES_PER_MINUTE)

    def prune(self, now: float) -> None:
        """Forget what no longer matters; call it every few seconds."""
        self.arrivals.prune(now)
        self._lookups.prune(now)
        self._connect_requests.prune(now)
        self._changes.prune(now)
        self.guessing.prune(now)
        self.credentials.prune(now)
        self.refusals.prune(now)

    def counts(self) -> dict[str, int]:
        """Return how many addresses are remembered, as ``/health`` tells it."""
        return {
            "trackedIps": max(len(self.arrivals), len(self._lookups), len(self._connect_requests)),
            **self.guessing.counts(),
        }
