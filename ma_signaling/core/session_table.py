"""Tables of sessions: those under way, and those that ended recently."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from ma_signaling.core.home import Home
from ma_signaling.core.peer import Clock
from ma_signaling.core.session import RemoteSession, Session

REMEMBERED_END = 60.0
"""Seconds for which an ended session is remembered."""

AnySession = TypeVar("AnySession", Session, RemoteSession)


class SessionTable(Generic[AnySession]):
    """Sessions that haven't ended, in the order in which they were added."""

    def __init__(self) -> None:
        self._by_id: dict[str, AnySession] = {}
        self._by_home: dict[Home, dict[str, AnySession]] = {}
        # The dict's own method, for speed: every message of a home looks up its session.
        self.get: Callable[[str], AnySession | None] = self._by_id.get
        """Return the session with this ID, None if there is none."""

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

    def all(self) -> list[AnySession]:
        """Return all sessions."""
        return list(self._by_id.values())

    def of(self, home: Home) -> list[AnySession]:
        """Return the sessions of a home."""
        return list(self._by_home.get(home, {}).values())


class EndedSessions:
    """Sessions that ended within the last minute, with their homes: what still arrives for them is ignored."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Not a dict, which passes over all deleted items to find its oldest one.
        self._ended: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def add(self, session_id: str, remote_id: str) -> None:
        """Remember that a session of this home has ended."""
        self._forget_old()
        self._ended[session_id] = (remote_id, self._clock.seconds())

    def discard(self, session_id: str) -> None:
        """Forget that a session has ended, since it goes on."""
        self._ended.pop(session_id, None)

    def lately(self, session_id: str | None, remote_id: str | None = None) -> bool:
        """Return whether this session (of the home ``remote_id``, if given) ended within the last minute."""
        if session_id is None or not self._ended:
            return False
        self._forget_old()
        remembered = self._ended.get(session_id)
        return remembered is not None and remote_id in (None, remembered[0])

    def _forget_old(self) -> None:
        oldest = self._clock.seconds() - REMEMBERED_END
        while self._ended:
            session_id, (_, ended_at) = next(iter(self._ended.items()))
            if ended_at > oldest:
                break
            del self._ended[session_id]
