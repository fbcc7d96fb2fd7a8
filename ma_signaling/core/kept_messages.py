"""What a client has sent in a session that is not answered yet, to be delivered again to the home's next connection."""

from __future__ import annotations

from collections.abc import Iterator

from ma_signaling.core.held_bytes import HomeBytes, SessionBytes

MAX_BYTES = 64 * 1024
"""What is kept of one session."""

FREE_BYTES = 4 * 1024
"""What is kept of one without being counted: most need no more, and a session takes about as much by itself."""


class Kept:
    """The messages of one client, in order, each with its type."""

    __slots__ = ("_held", "_home", "_messages", "_session_id", "is_whole")

    def __init__(self, session_id: str, key: str, home: HomeBytes) -> None:
        """Keep nothing yet; ``key`` is what the client's address is counted by."""
        self._session_id = session_id
        self._home = home
        self.is_whole = True
        """Whether all is kept that the client has sent."""
        self._messages: list[tuple[str, bytes]] = []
        self._held = SessionBytes(home, session_id, key, self._evict, free=FREE_BYTES)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._messages)

    def add(self, kind: str, payload: bytes) -> bool:
        """Keep a message; False: it is more than may be kept of this session, or than this address's share."""
        size = len(payload)
        if not self.is_whole or self._held.size + size > MAX_BYTES or not self._held.add(size):
            return False
        self._messages.append((kind, payload))
        return True

    def give_up(self) -> None:
        """Keep nothing any more: what could be kept would be of no use without the rest."""
        self.is_whole = False
        self.forget()

    def _evict(self) -> None:
        self.give_up()
        self._home.evicted(self._session_id, was_waiting=False)

    def forget(self) -> None:
        """Keep nothing any more."""
        self._messages.clear()
        self._held.release()
