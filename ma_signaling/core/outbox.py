"""What waits for a home: messages of its clients that can't be delivered yet, in the order in which they came."""

from __future__ import annotations

from collections.abc import Callable

MAX_BYTES = 256 * 1024
"""What may wait for one home."""

MAX_BYTES_IN_ALL = 32 * 1024 * 1024
"""What may wait for all homes."""


class Buffered:
    """How many bytes wait for all homes together."""

    def __init__(self) -> None:
        self.bytes = 0


Message = tuple[str, str, bytes]
"""The ID of its session, its type, and itself."""


class Outbox:
    """Messages for one home."""

    __slots__ = ("_all", "_bytes", "_sessions", "messages")

    def __init__(self, all_buffered: Buffered) -> None:
        self._all = all_buffered
        self._bytes = 0
        self.messages: list[Message] = []
        """What waits."""
        self._sessions: set[str] = set()

    def has_room(self, size: int) -> bool:
        """Return whether ``size`` more bytes fit."""
        return self._bytes + size <= MAX_BYTES and self._all.bytes + size <= MAX_BYTES_IN_ALL

    def add(self, message: Message) -> None:
        """Let a message wait, whether it fits or not."""
        self.messages.append(message)
        self._sessions.add(message[0])
        self._count(len(message[2]))

    def holds(self, session_id: str) -> bool:
        """Return whether a message of this session waits, so that those after it must wait, too."""
        return session_id in self._sessions

    def take(self, is_wanted: Callable[[str, str], bool]) -> list[Message]:
        """Remove and return the messages of which ``is_wanted`` says so, given their sessions and their types."""
        taken = [each for each in self.messages if is_wanted(each[0], each[1])]
        self.messages = [each for each in self.messages if not is_wanted(each[0], each[1])]
        self._sessions = {session_id for session_id, _, _ in self.messages}
        self._count(-sum(len(payload) for _, _, payload in taken))
        return taken

    def _count(self, size: int) -> None:
        self._bytes += size
        self._all.bytes += size
