"""A home's own protection: how many sessions it may get, and which one makes way (docs/protocol.md, *Limits*)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from ma_signaling.config.settings import Settings
from ma_signaling.core.errors import Refused, home_busy
from ma_signaling.core.events import Event, Report
from ma_signaling.core.home import Home
from ma_signaling.core.session import Negotiation, RemoteSession, Session
from ma_signaling.core.session_table import SessionTable


class Admission:
    """Lets sessions begin; those of clients of other nodes count as those of this one's."""

    def __init__(
        self,
        settings: Settings,
        report: Report,
        sessions: SessionTable[Session],
        remote_sessions: SessionTable[RemoteSession],
    ) -> None:
        self._settings = settings
        self._report = report
        self._sessions = sessions
        self._remote_sessions = remote_sessions

    def admit(self, home: Home, key: str, now: float) -> Session | RemoteSession | None:
        """Count another session of ``home``, of the address ``key``; returns the one that must make way for it.

        Raises ``Refused`` with ``home_busy``.
        """
        if not home.has_room(0):
            self._report(Event.LIMIT_HIT, limit="unsent bytes")
            raise Refused(home_busy(1))
        crowded_out = self._crowded_out(home)
        wait = home.admit(key, now, self._settings.home_sessions_per_minute)
        if wait > 0:
            self._report(Event.LIMIT_HIT, limit="sessions of a home in a minute")
            raise Refused(home_busy(wait))
        return crowded_out

    def _crowded_out(self, home: Home) -> Session | RemoteSession | None:
        """None where there is room; else the newest without an offer, of the address that has most of those."""
        if (
            not 0
            < self._settings.home_sessions
            <= self._sessions.count(home) + self._remote_sessions.count(home)
        ):
            return None
        each: Iterator[Session | RemoteSession] = chain(
            self._sessions.of(home), self._remote_sessions.of(home)
        )
        idle = [session for session in each if session.negotiation is Negotiation.NOTHING]
        self._report(Event.LIMIT_HIT, limit="sessions of a home")
        if not idle:
            raise Refused(home_busy(1))
        count = Counter(session.key for session in idle)
        most = max(count.values())
        return next(session for session in reversed(idle) if count[session.key] == most)
