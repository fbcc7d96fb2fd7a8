"""A table of sessions, by their IDs and by their homes."""

from __future__ import annotations

from typing import Generic, TypeVar

from ma_signaling.core.home import Home
from ma_signaling.core.session import RemoteSession, Session

AnySession = TypeVar("AnySession", Session, RemoteSession)


class SessionTable(Generic[AnySession]):
    """Sessions that haven't ended, in the order in which they were added."""

    def __init__(self) -> None:
        self._by_id: dict[str, AnySession] = {}
        self._by_home: dict[Home, dict[str, AnySession]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, session: AnySession) -> None:
        """Add a session."""
        self._by_id[session.id] = session
        self._by_home.setdefault(session.home, {})[session.id] = session
        session.place = session.home.its_crowd().enter(session, session.key)

    def remove(self, session: AnySession) -> None:
        """Remove a session, which must be in the table."""
        if session.place is not None:
            session.place.release()
        del self._by_id[session.id]
        of_home = self._by_home[session.home]
        del of_home[session.id]
        if not of_home:
            del self._by_home[session.home]

    def get(self, session_id: str) -> AnySession | None:
        """Return the session with this ID."""
        return self._by_id.get(session_id)

    def all(self) -> list[AnySession]:
        """Return all sessions."""
        return list(self._by_id.values())

    def of(self, home: Home) -> list[AnySession]:
        """Return the sessions of a home."""
        return list(self._by_home.get(home, {}).values())

    def move(self, source: Home, target: Home) -> None:
        """Make all sessions of one home those of another, behind its own."""
        for session in self.of(source):
            self.remove(session)
            session.home = target
            self.add(session)
