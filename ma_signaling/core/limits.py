"""Limits per client address on connections, lookups and guesses. Times are passed in, in seconds.

The rules are those of *Limits* in docs/protocol.md: scarce resources are counted per address, forwarded messages are
charged to their session (``token_bucket``), and no guest's traffic can block a home.
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
"""A home's connection needs no change: its certificate, and so its Remote ID, changes with a restart at most."""


class Limits:
    """The limits of all client addresses; each address is given by its key (``ClientAddress.key``)."""

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
        """Count a lookup by HTTP and return 0; otherwise return the seconds until one is allowed, blocks included."""
        return self.guessing.blocked_for(key, now) or self._lookups[key].admit(
            now, self._settings.lookups_per_minute
        )

    def connect_request(self, key: str, now: float) -> float:
        """Count a connect-request and return 0; otherwise return the seconds until one is allowed, blocks included."""
        return self.guessing.blocked_for(key, now) or self._connect_requests[key].admit(
            now, self._settings.connect_requests_per_minute
        )

    def change(self, key: str, now: float) -> float:
        """Count a connection's change of its Remote ID and return 0; else return the seconds until one is allowed."""
        return self._changes[key].admit(now, CHANGES_PER_MINUTE)

    def prune(self, now: float) -> None:
        """Drop idle entries; call this every few seconds."""
        self.arrivals.prune(now)
        self._lookups.prune(now)
        self._connect_requests.prune(now)
        self._changes.prune(now)
        self.guessing.prune(now)
        self.credentials.prune(now)
        self.refusals.prune(now)

    def counts(self) -> dict[str, int]:
        """Return how many addresses are remembered, for ``/health``."""
        return {
            "trackedIps": max(len(self.arrivals), len(self._lookups), len(self._connect_requests)),
            **self.guessing.counts(),
        }
