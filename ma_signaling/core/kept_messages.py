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

    __slots__ = ("_held", "_messages")

    def __init__(self, session_id: str, key: str, home: HomeBytes) -> None:
        """Keep nothing yet; ``key`` is what the client's address is counted by."""
        self._messages: list[tuple[str, bytes]] = []
        self._held = SessionBytes(home, session_id, key, self.forget, free=FREE_BYTES)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._messages)

    def add(self, kind: str, payload: bytes) -> bool:
        """Keep a message; False: it is more than may be kept of this session, or than this address's share."""
        size = len(payload)
        if self._held.size + size > MAX_BYTES or not self._held.add(size):
            return False
        self._messages.append((kind, payload))
        return True

    def forget(self) -> None:
        """Keep nothing any more."""
        self._messages.clear()
        self._held.release()
