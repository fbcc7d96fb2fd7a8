"""Messages for a home that can't be delivered yet, in order of arrival."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ma_signaling.core.held_bytes import HomeBytes, SessionBytes

_END = "client-disconnected"

Message = tuple[str, str, bytes]
"""Session ID, type and payload."""


class Outbox:
    """Messages for one home."""

    __slots__ = ("_held", "_home", "_sessions", "messages")

    def __init__(self, home: HomeBytes) -> None:
        self._home = home
        self.messages: list[Message] = []
        """The messages that wait."""
        self._sessions: set[str] = set()
        self._held: dict[str, SessionBytes] = {}
        """The waiting bytes of each session's client, by session ID."""

    def make_room(self, size: int, session_id: str, key: str) -> bool:
        """Charge ``size`` bytes to a session of the address ``key``; return False if that is beyond its share."""
        held = self._held.get(session_id)
        if held is None:
            held = SessionBytes(self._home, session_id, key, partial(self._evict, session_id))
        if not held.add(size):
            return False
        self._held[session_id] = held
        return True

    def add(self, message: Message) -> None:
        """Let a message wait, without a check for room: this server's own messages aren't charged."""
        self.messages.append(message)
        self._sessions.add(message[0])

    def _evict(self, session_id: str) -> None:
        self.forget(session_id)
        self._home.evicted(session_id, was_waiting=True)

    def forget(self, session_id: str) -> None:
        """Drop the messages of a session, except the one that tells of its end."""
        self.take(lambda each, kind: each == session_id and kind != _END)

    def holds(self, session_id: str) -> bool:
        """Return whether a message of this session waits; later ones must then wait, too."""
        return session_id in self._sessions

    def take(self, is_wanted: Callable[[str, str], bool]) -> list[Message]:
        """Remove and return the messages for which ``is_wanted(session_id, type)`` is true."""
        if not self.messages:
            return []
        taken = [each for each in self.messages if is_wanted(each[0], each[1])]
        self.messages = [each for each in self.messages if not is_wanted(each[0], each[1])]
        self._sessions = {session_id for session_id, _, _ in self.messages}
        waiting = {session_id for session_id, kind, _ in self.messages if kind != _END}
        for session_id in self._held.keys() - waiting:
            self._held.pop(session_id).release()
        return taken
