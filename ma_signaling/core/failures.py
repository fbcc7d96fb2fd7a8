"""Addresses that were asked for proof of a Remote ID and gave none: each waits before it is asked again for it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

FIRST_WAIT = 60.0
LONGEST_WAIT = 600.0


@dataclass(slots=True)
class _Failure:
    wait: float
    until: float

    def is_forgiven(self, now: float) -> bool:
        """Whether there was no other one for long enough."""
        return now >= self.until + LONGEST_WAIT


class Failures:
    """By address and Remote ID; of ``most`` at once, the oldest are forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._failures: OrderedDict[tuple[str, str], _Failure] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def add(self, key: str, remote_id: str, now: float) -> None:
        """An address has failed: it waits 60 s, and with each repeat twice as long, up to 10 minutes."""
        self.prune(now)
        before = self._failures.pop((key, remote_id), None)
        if before is not None and before.is_forgiven(now):
            before = None
        wait = FIRST_WAIT if before is None else min(2 * before.wait, LONGEST_WAIT)
        self._failures[key, remote_id] = _Failure(wait, now + wait)
        if len(self._failures) > self._most:
            self._failures.popitem(last=False)

    def must_wait(self, key: str, remote_id: str, now: float) -> bool:
        """Whether an address is not to be asked yet."""
        failure = self._failures.get((key, remote_id))
        return failure is not None and now < failure.until

    def prune(self, now: float) -> None:
        """Forget who has waited, and has not failed again for the longest wait."""
        while self._failures:
            name, failure = next(iter(self._failures.items()))
            if not failure.is_forgiven(now):
                break
            del self._failures[name]
