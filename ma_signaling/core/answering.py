"""The deadline for a home's answer to an offer (docs/protocol.md, *Messages*)."""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.core.peer import Clock
from ma_signaling.core.session import Negotiation, Session, SessionState

ANSWER_SECONDS = 35.0
"""Seconds from the latest delivery of the offer. Without a deadline, some clients would wait for ever."""


class Answering:
    """The deadlines of the open sessions that wait for their first answer."""

    def __init__(self, clock: Clock, unanswered: Callable[[Session], None]) -> None:
        """``unanswered`` is called to end a session whose deadline has passed."""
        self._clock = clock
        self._unanswered = unanswered

    def await_answer(self, session: Session) -> None:
        """Set the deadline, if the session has an unanswered offer and its home is connected."""
        if session.negotiation is Negotiation.OFFERED and session.home.connection is not None:
            session.set_timer(self._clock, ANSWER_SECONDS, self._due)

    def _due(self, session: Session) -> None:
        home = session.home.connection
        if home is None:
            return
        if session.home.is_waiting(session.id):
            self.await_answer(session)
        elif home.is_remote:
            self._give_up(session)
        else:
            home.peer.after_reading(lambda: self._give_up(session))

    def _give_up(self, session: Session) -> None:
        if (
            session.state is SessionState.OPEN
            and session.negotiation is Negotiation.OFFERED
            and not session.timer
        ):
            self._unanswered(session)
