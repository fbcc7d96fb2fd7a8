"""Addresses that failed to prove a Remote ID: each must wait before it is asked for that proof again."""

from __future__ import annotations

from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.peer import NEVER

FIRST_WAIT = 60.0
LONGEST_WAIT = 600.0
"""Seconds. The wait doubles with each failure, up to the longest."""

PRUNED_AFTER = 100
"""After so many failures, old ones are forgotten."""


class _Failure:
    """The latest failure of one address for one Remote ID."""

    def __init__(self) -> None:
        self.wait = 0.0
        self.until = NEVER

    def is_idle(self, now: float) -> bool:
        """Return whether the failure is forgiven: no other one followed for long enough."""
        return now >= self.until + LONGEST_WAIT


class FailedProofs:
    """The failures of all addresses, by Remote ID; their number is bounded."""

    def __init__(self, max_failures: int) -> None:
        self._failures = LruTable(_Failure, max_failures)
        self._added = 0

    def __len__(self) -> int:
        return len(self._failures)

    def add(self, key: str, remote_id: str, now: float) -> None:
        """Count a failure: the address must wait 60 s, and twice as long after each repeat, up to 10 minutes."""
        self._added += 1
        if self._added % PRUNED_AFTER == 0:
            self.prune(now)
        failure = self._failures[f"{key} {remote_id}"]
        failure.wait = FIRST_WAIT if failure.is_idle(now) else min(2 * failure.wait, LONGEST_WAIT)
        failure.until = now + failure.wait

    def must_wait(self, key: str, remote_id: str, now: float) -> bool:
        """Return whether an address must not be asked yet."""
        failure = self._failures.get(f"{key} {remote_id}")
        return failure is not None and now < failure.until

    def prune(self, now: float) -> None:
        """Drop the failures that are forgiven."""
        self._failures.prune(now)
