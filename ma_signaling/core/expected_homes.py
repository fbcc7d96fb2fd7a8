"""Homes that are away and expected back, by the addresses that they were connected from: their places are kept."""

from __future__ import annotations

from collections import Counter


class ExpectedHomes:
    """Remote IDs of homes in their grace time."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._count: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, remote_id: str, key: str) -> None:
        """Expect a home back that was connected from the address ``key``."""
        self.discard(remote_id)
        self._keys[remote_id] = key
        self._count[key] += 1

    def discard(self, remote_id: str) -> None:
        """Expect a home no longer."""
        key = self._keys.pop(remote_id, None)
        if key is not None:
            self._count[key] -= 1
            if not self._count[key]:
                del self._count[key]

    def is_expecting(self, key: str) -> bool:
        """Return whether a home of this address is expected back."""
        return key in self._count
