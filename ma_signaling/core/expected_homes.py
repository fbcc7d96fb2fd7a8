"""Homes that are away and expected back, by the address that they were connected from: their places are kept.

Each takes memory, though its address has no connection any more, so their number is shared between addresses as well.
"""

from __future__ import annotations

from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.shares import Place, Shares

MAX_EXPECTED = 20_000
"""How many are expected at the same time, some 2 KiB each."""


class ExpectedHomes:
    """Remote IDs of homes in their grace time, and of those after it for which sessions wait."""

    def __init__(self, capacity: int = MAX_EXPECTED) -> None:
        self._shares: Shares[str] = Shares(capacity)
        self._places: dict[str, Place[str]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, remote_id: str, key: str) -> str | None:
        """Expect a home back that was connected from the address ``key``.

        If there are too many, returns the one that is expected no longer: the newest of the address with most, or
        ``remote_id`` itself.
        """
        self.discard(remote_id)
        blocks, loser = blocks_of(key), None
        if not self._shares.has_room():
            loser = self._shares.make_way(blocks)
            if loser is None:
                return remote_id
            del self._places[loser]
        self._places[remote_id] = self._shares.take(blocks, remote_id)
        return loser

    def discard(self, remote_id: str) -> None:
        """Expect a home no longer."""
        place = self._places.pop(remote_id, None)
        if place is not None:
            place.release()

    def is_expecting(self, key: str) -> bool:
        """Return whether a home of this address is expected back."""
        return self._shares.taken(*blocks_of(key)) > 0
