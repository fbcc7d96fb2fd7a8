"""Homes that lost their Remote ID to a newcomer: their sessions wait for their owner's return."""

from __future__ import annotations

from collections.abc import Iterator

from ma_signaling.core.home import Buffered, Home
from ma_signaling.core.sessions import Sessions


class Evicted:
    """By Remote ID, in the order of their eviction; each with a timer for the end of its grace time."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._homes: dict[str, list[Home]] = {}

    def __len__(self) -> int:
        return len(self._homes)

    def __contains__(self, remote_id: str) -> bool:
        return remote_id in self._homes

    def __iter__(self) -> Iterator[Home]:
        return iter([home for homes in self._homes.values() for home in homes])

    def add(self, home: Home) -> None:
        """Keep a home that was evicted."""
        self._homes.setdefault(home.remote_id, []).append(home)

    def adopt(self, home: Home) -> list[Buffered]:
        """Give ``home`` the sessions that its owner had before it was evicted; returns what was held for them."""
        held: list[Buffered] = []
        for evicted in list(self._homes.get(home.remote_id, ())):
            if home.owner.is_surely(evicted.owner):
                self._forget(evicted)
                self._sessions.move(evicted, home)
                held += evicted.take_held()
        return held

    def expire(self, home: Home) -> None:
        """Its owner did not return, or may not: its sessions end in silence."""
        self._forget(home)
        for session in self._sessions.of(home):
            self._sessions.expire(session)
        home.take_held()

    def _forget(self, home: Home) -> None:
        home.stop_timer()
        waiting = self._homes[home.remote_id]
        waiting.remove(home)
        if not waiting:
            del self._homes[home.remote_id]
