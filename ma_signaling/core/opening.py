"""Answering a client's request: with ``connected`` once its home is ready or had its time, else with an error."""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.config.settings import Settings
from ma_signaling.core import messages
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.core.limits import Limits
from ma_signaling.core.peer import Clock
from ma_signaling.core.session import Session, SessionState

CONNECTED_DEADLINE = 25.0
"""Seconds after which a request is answered whatever happens: the PWA gives up after 30."""


class Opening:
    """Opens pending sessions, or lets them wait."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Report,
        limits: Limits,
        ice_servers: IceServers,
        wall: Callable[[], float],
        not_found: Callable[[Session], None],
    ) -> None:
        """``not_found`` ends a session whose home did not come in time."""
        self._settings = settings
        self._clock = clock
        self._report = report
        self._limits = limits
        self._ice_servers = ice_servers
        self._wall = wall
        self._not_found = not_found
        self.open = 0
        """How many sessions are open; the others are pending."""

    def await_home(self, session: Session) -> None:
        """Let a session wait for its home, which is away."""
        session.set_timer(self._clock, self._settings.park - self._age(session), self._not_found)

    def await_ready(self, session: Session) -> None:
        """Let a session that was announced wait for session-ready."""
        deadline = CONNECTED_DEADLINE - self._age(session)
        session.set_timer(self._clock, min(self._settings.ready_timeout, deadline), self._open_unready)

    def ready(self, session: Session, ice_servers: bytes | None) -> None:
        """Open a session with the ICE servers (a JSON list) that its home gave for it, and with ours."""
        self._report(
            Event.SESSION_OPENED,
            session=session.id,
            remote_id=session.home.remote_id,
            seconds=self._age(session),
        )
        with_relay = self._ice_servers.has_relay and self._may_relay(session)
        extended = self._ice_servers.extend(ice_servers, self._wall(), with_relay=with_relay)
        self._open(session, extended, is_ready=True)

    def closed(self) -> None:
        """Count an open session that has ended."""
        self.open -= 1

    def _open_unready(self, session: Session) -> None:
        self._report(
            Event.SESSION_OPENED_UNREADY,
            session=session.id,
            remote_id=session.home.remote_id,
            seconds=self._age(session),
        )
        # A home that has not accepted the session gets no relay for it: anyone can pose as one.
        ice_servers = self._ice_servers.extend(session.home.ice_servers, self._wall(), with_relay=False)
        self._open(session, ice_servers, is_ready=False)

    def _open(self, session: Session, ice_servers: bytes | None, *, is_ready: bool) -> None:
        if session.trace is not None:
            session.trace.connected(is_ready, self._clock.seconds())
        session.cancel_timer()
        session.state = SessionState.OPEN
        self.open += 1
        session.client.peer.send(messages.connected(session.home.remote_id, session.id, ice_servers))

    def _may_relay(self, session: Session) -> bool:
        now = self._clock.seconds()
        if self._limits.credentials.admit(session.home.remote_id, session.client.address.key, now):
            self._report(Event.RELAY_OFFERED, session=session.id)
            return True
        self._report(Event.LIMIT_HIT, limit=Limit.RELAYS)
        return False

    def _age(self, session: Session) -> float:
        return self._clock.seconds() - session.requested_at
