"""The messages of a client in an unanswered session, kept to be delivered again to the home's next connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ma_signaling.core.held_bytes import STEP, HomeBytes, SessionBytes

MAX_BYTES = 64 * 1024
"""The most that is kept of one session."""

FREE_BYTES = 4 * 1024
"""How much of it isn't counted in ``held_bytes``: most sessions need no more, and each takes about as much anyway."""


class Kept:
    """The kept messages of one client, in order."""

    __slots__ = ("_counted", "_home", "_key", "_left", "_payloads", "_session_id", "is_whole")

    def __init__(self, session_id: str, key: str, home: HomeBytes) -> None:
        """Keep nothing yet; ``key`` is the client's address key."""
        self._session_id = session_id
        self._key = key
        self._home = home
        self.is_whole = True
        """Whether everything that the client has sent is kept."""
        self._payloads: list[bytes] = []
        self._left = FREE_BYTES
        """How many more bytes may be kept before more room must be taken."""
        self._counted: SessionBytes | None = None
        """The bytes beyond ``FREE_BYTES``; None until there are any."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._payloads)

    def add(self, payloads: Sequence[bytes], size: int) -> bool:
        """Keep messages of ``size`` bytes in all; return False if that is too much for the session or its address."""
        left = self._left - size
        if left < 0:
            left += self._room_for(-left)
            if left < 0:
                return False
        self._left = left
        self._payloads += payloads
        return True

    def _room_for(self, size: int) -> int:
        """Take room for ``size`` more bytes, in whole steps; return how much, 0 if there is none."""
        if not self.is_whole:
            return 0
        if self._counted is None:
            self._counted = SessionBytes(self._home, self._session_id, self._key, self._evict)
        wanted = -(-size // STEP) * STEP
        has_room = FREE_BYTES + self._counted.size + wanted <= MAX_BYTES
        return wanted if has_room and self._counted.add(wanted) else 0

    def give_up(self) -> None:
        """Keep nothing from now on: one missing message makes the others useless."""
        self.is_whole = False
        self.forget()

    def _evict(self) -> None:
        self.give_up()
        self._home.evicted(self._session_id, was_waiting=False)

    def forget(self) -> None:
        """Drop what is kept."""
        self._payloads.clear()
        self._left = FREE_BYTES if self.is_whole else 0
        if self._counted is not None:
            self._counted.release()
            self._counted = None
