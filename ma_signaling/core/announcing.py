"""Announcing sessions to their homes, and again to a home that comes back before it has answered.

The rules are those of *Messages* and *Loss and grace* in docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.core import messages
from ma_signaling.core.answering import Answering
from ma_signaling.core.events import Event, Report
from ma_signaling.core.home import HomeState
from ma_signaling.core.opening import Opening
from ma_signaling.core.peer import ClientAddress, Clock
from ma_signaling.core.session import Negotiation, Session, SessionState


class Announcing:
    """Announces sessions to homes, and unanswered ones again to homes that come back."""

    def __init__(
        self,
        clock: Clock,
        report: Report,
        opening: Opening,
        answering: Answering,
        end_unanswered: Callable[[Session], None],
    ) -> None:
        """``end_unanswered`` ends an unanswered session that can't begin anew."""
        self._clock = clock
        self._report = report
        self._opening = opening
        self._answering = answering
        self._end_unanswered = end_unanswered

    def begin(self, session: Session) -> None:
        """Announce a requested session, or let it wait for its home."""
        if session.home.state is not HomeState.LOOKED_UP:
            self._report_request(session)
        if session.home.connection is not None:
            self._announce(session)
        else:
            self.await_home(session)

    def await_home(self, session: Session) -> None:
        """Let a session wait for its home, which is away, or is looked up on other nodes.

        An open unanswered one ends if it can't begin anew.
        """
        if session.home.state is not HomeState.LOOKED_UP:
            if session.trace is not None:
                session.trace.home_lost(self._clock.seconds())
            if session.state is not SessionState.OPEN:
                self._report(Event.SESSION_PARKED, session=session.id, remote_id=session.home.remote_id)
        if session.state is not SessionState.OPEN:
            self._opening.await_home(session)
        elif session.negotiation is not Negotiation.ANSWERED:
            session.cancel_timer()
            if not session.can_begin_anew:
                self._end_unanswered(session)

    def home_found_away(self, session: Session) -> None:
        """Let a session go on waiting for its home, which the lookup has found to be away."""
        self._report_request(session)
        self.await_home(session)

    def home_connected(self, session: Session, *, is_first: bool) -> None:
        """Let a session go on with its home, which is now connected; ``is_first``: the home was being looked up.

        An unanswered session begins anew, since a home that has restarted doesn't know it.
        """
        if is_first:
            self._report_request(session)
        elif session.trace is not None:
            session.trace.home_returned(self._clock.seconds())
        if session.negotiation is not Negotiation.ANSWERED:
            # All is sent before the home reads any. If it overflowed the send buffer, each return would end in a cut.
            is_too_much = session.state is SessionState.OPEN and session.home.is_congested
            if is_too_much or not session.can_begin_anew:
                self._end_unanswered(session)
                return
            if not is_first and session.state is not SessionState.OPEN:
                self._report(Event.SESSION_REVIVED, session=session.id, remote_id=session.home.remote_id)
            if session.state is not SessionState.PARKED:
                home = session.home.connection
                assert home is not None
                home.forward(session.id, "client-disconnected", messages.client_disconnected(session.id))
            self._announce(session)
            session.begin_anew()
            self._answering.await_answer(session)

    def suspend(self, session: Session) -> None:
        """Note that an answered session waits until the home's new connection has proved itself."""
        if session.trace is not None:
            session.trace.home_lost(self._clock.seconds())

    def resume(self, session: Session, home: ClientAddress) -> None:
        """Note that an answered session goes on with its home, now at the address ``home``."""
        session.answered_by = home
        if session.trace is not None:
            session.trace.home_returned(self._clock.seconds())

    def _announce(self, session: Session) -> None:
        """Announce a session to its connected home, maybe again; a pending one then waits for session-ready."""
        if session.state is SessionState.PARKED:
            session.state = SessionState.ANNOUNCED
        session.announcements += 1
        home = session.home.connection
        assert home is not None
        # Not by ``Home.forward``: the home must hear of the session before any buffered message.
        home.forward(session.id, "client-connected", messages.client_connected(session.id))
        if session.trace is not None:
            session.trace.announced(self._clock.seconds())
        if session.state is not SessionState.OPEN:
            self._opening.await_ready(session)

    def _report_request(self, session: Session) -> None:
        self._report(
            Event.SESSION_REQUESTED,
            connection=session.client.id,
            address=session.client.address,
            session=session.id,
            remote_id=session.home.remote_id,
        )
