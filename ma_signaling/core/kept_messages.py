"""What a client has sent in a session that is not answered yet, to be delivered again to the home's next connection."""

from __future__ import annotations

from collections.abc import Iterator

from ma_signaling.core.address_blocks import blocks_of
from ma_signaling.core.shares import Place, Shares

MAX_BYTES = 64 * 1024
"""What is kept of one session."""

MAX_BYTES_IN_ALL = 32 * 1024 * 1024
"""What is kept of all sessions."""


class KeptBytes:
    """Shares of all that may be kept, by the addresses of the clients."""

    def __init__(self) -> None:
        self.shares: Shares[Kept] = Shares(MAX_BYTES_IN_ALL)


class Kept:
    """The messages of one client, in order, each with its type."""

    __slots__ = ("_all", "_id", "_key", "_messages", "_place")

    def __init__(self, session_id: str, key: str, all_kept: KeptBytes) -> None:
        """Keep nothing yet; ``key`` is what the client's address is counted by."""
        self._id = session_id
        self._key = key
        self._all = all_kept
        self._messages: list[tuple[str, bytes]] = []
        self._place: Place[Kept] | None = None

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._messages)

    def add(self, kind: str, payload: bytes) -> bool:
        """Keep a message; False: it is more than may be kept of this session, or than this address's share."""
        size = len(payload)
        if self._place is None:
            if not self._make_room(size):
                return False
            self._place = self._all.shares.take((*blocks_of(self._key), self._id), self, size)
        elif self._place.size + size > MAX_BYTES or not self._make_room(size):
            return False
        else:
            self._place.resize(self._place.size + size)
        self._messages.append((kind, payload))
        return True

    def forget(self) -> None:
        """Keep nothing any more."""
        self._messages.clear()
        if self._place is not None:
            self._place.release()
            self._place = None

    def _make_room(self, size: int) -> bool:
        shares = self._all.shares
        while not shares.has_room(size):
            giver = shares.giver_for((*blocks_of(self._key), self._id), size)
            if giver is None:
                return False
            giver.item.forget()
        return True
