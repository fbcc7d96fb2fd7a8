"""Addresses that were asked for proof of a Remote ID and gave none: each waits before it is asked again for it."""

from __future__ import annotations

from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.peer import NEVER

FIRST_WAIT = 60.0
LONGEST_WAIT = 600.0
"""Seconds. With each failure the wait doubles, until it is the longest."""

PRUNED_AFTER = 100
"""Failures until old ones are forgotten."""


class _Failure:
    """The latest of one address, for one Remote ID."""

    def __init__(self) -> None:
        self.wait = 0.0
        self.until = NEVER

    def is_idle(self, now: float) -> bool:
        """Return whether there was no other one for long enough to forgive it."""
        return now >= self.until + LONGEST_WAIT


class FailedProofs:
    """The failures of all addresses, by Remote ID; a bounded number is remembered."""

    def __init__(self, max_failures: int) -> None:
        self._failures = LruTable(_Failure, max_failures)
        self._added = 0

    def __len__(self) -> int:
        return len(self._failures)

    def add(self, key: str, remote_id: str, now: float) -> None:
        """Let an address wait that has failed: 60 s, and with each repeat twice as long, up to 10 minutes."""
        self._added += 1
        if self._added % PRUNED_AFTER == 0:
            self.prune(now)
        failure = self._failures[f"{key} {remote_id}"]
        failure.wait = FIRST_WAIT if failure.is_idle(now) else min(2 * failure.wait, LONGEST_WAIT)
        failure.until = now + failure.wait

    def must_wait(self, key: str, remote_id: str, now: float) -> bool:
        """Return whether an address is not to be asked yet."""
        failure = self._failures.get(f"{key} {remote_id}")
        return failure is not None and now < failure.until

    def prune(self, now: float) -> None:
        """Forget who has waited, and has not failed again for the longest wait."""
        self._failures.prune(now)
