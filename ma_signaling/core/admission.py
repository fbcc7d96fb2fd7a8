"""A home's own protection: how many sessions it gets, and which one is evicted (docs/protocol.md, *Limits*)."""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.core.errors import Refused, home_busy
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.home import Home
from ma_signaling.core.session import RemoteSession, Session


class Admission:
    """Decides whether a session may begin. Sessions with clients of other nodes count like those of this node."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._report = report

    def admit(self, home: Home, key: str, now: float) -> Session | RemoteSession | None:
        """Count a new session of ``home`` from the address ``key``; return the session to evict for it, or None.

        Raises ``Refused`` (``home_busy``) if the home can take no more.
        """
        if home.is_congested:
            self._report(Event.LIMIT_HIT, limit=Limit.UNSENT_BYTES)
            raise Refused(home_busy(1))
        crowd = home.its_crowd()
        wait = crowd.start(key, now, self._settings.home_sessions_per_minute)
        if wait > 0:
            self._report(Event.LIMIT_HIT, limit=Limit.SESSIONS_A_MINUTE)
            raise Refused(home_busy(wait))
        if not crowd.is_full(self._settings.home_sessions):
            return None
        self._report(Event.LIMIT_HIT, limit=Limit.SESSIONS)
        crowded_out: Session | RemoteSession | None = crowd.make_way(key)
        if crowded_out is None:
            raise Refused(home_busy(1))
        return crowded_out
