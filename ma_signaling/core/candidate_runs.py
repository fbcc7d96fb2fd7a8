"""Forwarding a run of ICE candidates, which arrived in one read, together.

A browser gathers its candidates within a millisecond, so most of them arrive several at a time. What is the same for
all candidates of a session is done once per run: finding the receiver, reading the clock, charging, sending, keeping.
Nothing is refused here. A candidate that can't be forwarded straight away ends the run, and is left to ``Forwarding``,
which has the rules; candidates from another node are sent together or not at all. Tests compare both paths.
"""

from __future__ import annotations

from collections.abc import Container

from ma_signaling.core import candidate_counts, messages
from ma_signaling.core.connection import Connection
from ma_signaling.core.errors import Refused
from ma_signaling.core.message_charges import Traffic
from ma_signaling.core.messages import Message
from ma_signaling.core.other_nodes import Relay
from ma_signaling.core.peer import Clock
from ma_signaling.core.session import RemoteSession, Session, SessionState
from ma_signaling.core.sessions import Sessions
from ma_signaling.core.token_bucket import Budget

_KIND = "ice-candidate"
_MARK = b'"ice-candidate"'
"""Must be in the first message of a run; a message that spells its type differently is left to ``Forwarding``."""

_OPEN = SessionState.OPEN


class CandidateRuns:
    """Forwards runs of candidates between clients and homes."""

    def __init__(
        self,
        clock: Clock,
        sessions: Sessions,
        contested: Container[str | None],
        traffic: Traffic,
        relay: Relay,
    ) -> None:
        """``contested``: the Remote IDs whose homes are being probed; ``traffic``: where candidates are counted."""
        self._clock = clock
        self._relay = relay
        self._session_of = sessions.by_client.get
        self._session = sessions.get
        self._remote_session = sessions.remote.get
        self._contested = contested
        self._traffic = traffic

    def take(self, sender: Connection, payloads: list[bytes]) -> tuple[int, Message | None]:
        """Forward the candidates at the start of ``payloads``, messages of ``sender``.

        Returns how many were forwarded, and the message after them if it was parsed, else None.
        """
        if sender.gone or payloads[0].find(_MARK) < 0:
            return 0, None
        if sender.remote_id is None:
            return self._from_client(sender, payloads)
        return self._from_home(sender, payloads)

    def _from_client(self, client: Connection, payloads: list[bytes]) -> tuple[int, Message | None]:
        session = self._session_of(client)
        if session is None or session.state is not _OPEN or client.earlier_sessions:
            return 0, None
        now, size = self._clock.seconds(), sum(map(len, payloads))
        if not session.home.is_at_hand or not session.from_client.spend(now, size, len(payloads)):
            return 0, None
        sent: list[bytes] = []
        places = b""
        message = _parsed(payloads[0], _MARK)
        while message is not None and message["type"] == _KIND:
            try:
                sent.append(messages.with_session_id(message, payloads[len(sent)], session.id))
            except Refused:
                break
            if session.trace is not None:
                places += candidate_counts.place(message)
            message = _parsed(payloads[len(sent)], _MARK) if len(sent) < len(payloads) else None
        self._count(payloads, len(sent), size, session.from_client, is_home=False)
        if sent:
            session.client_sends_all(sent)
            if session.trace is not None:
                session.trace.client.sent(_KIND, places, now)
        return len(sent), message

    def _from_home(self, home: Connection, payloads: list[bytes]) -> tuple[int, Message | None]:
        if home.remote_id in self._contested:
            return 0, None
        message = _parsed(payloads[0], _MARK)
        session_id = None if message is None else message.get("sessionId")
        session = self._at_hand(home, session_id) or self._elsewhere(home, session_id)
        now, size = self._clock.seconds(), sum(map(len, payloads))
        if session is None or not session.from_home.spend(now, size, len(payloads)):
            return 0, message
        are_places_wanted = isinstance(session, RemoteSession) or session.trace is not None
        mark = session.id.encode()
        sent: list[bytes] = []
        places = b""
        while message is not None and message["type"] == _KIND and message.get("sessionId") == session.id:
            try:
                sent.append(messages.for_client(message, payloads[len(sent)]))
            except Refused:
                break
            if are_places_wanted:
                places += candidate_counts.place(message)
            message = _parsed(payloads[len(sent)], mark) if len(sent) < len(payloads) else None
        self._count(payloads, len(sent), size, session.from_home, is_home=True)
        if not sent:
            return 0, message
        if isinstance(session, RemoteSession):
            self._relay.forward_all(session, sent, places)
        else:
            self._send_client(session, sent, places, now)
        return len(sent), message

    def deliver(self, home: Connection, session_id: str, candidates: list[bytes], places: bytes) -> bool:
        """Send a client candidates of a home on another node. Return False, with none sent, if they must wait."""
        session = self._at_hand(home, session_id)
        if session is None:
            return False
        self._send_client(session, candidates, places, self._clock.seconds())
        return True

    def _send_client(self, session: Session, candidates: list[bytes], places: bytes, now: float) -> None:
        session.client.peer.send_all(candidates)
        if session.trace is not None:
            session.trace.home.sent(_KIND, places, now)

    def _at_hand(self, home: Connection, session_id: object) -> Session | None:
        """Return the session of ``home`` with this ID, if its client can be sent to immediately."""
        session = self._session(session_id) if type(session_id) is str else None
        if session is None or session.home.connection is not home or session.state is not _OPEN:
            return None
        is_held = session_id in session.home.suspended or not session.client.peer.keeps_up
        return None if is_held else session

    def _elsewhere(self, home: Connection, session_id: object) -> RemoteSession | None:
        """Return the session of ``home`` with this ID, if its client is on another node."""
        session = self._remote_session(session_id) if type(session_id) is str else None
        return session if session is not None and session.home.connection is home else None

    def _count(self, payloads: list[bytes], taken: int, size: int, budget: Budget, *, is_home: bool) -> None:
        """Count the first ``taken`` of ``payloads``, and refund the rest: all ``size`` bytes were charged."""
        if taken < len(payloads):
            left = sum(map(len, payloads[taken:]))
            budget.refund(left, len(payloads) - taken)
            size -= left
        self._traffic.count(is_home, size, taken)


def _parsed(payload: bytes, mark: bytes) -> Message | None:
    """Return the message in ``payload``; None if it is invalid or doesn't contain ``mark``."""
    # For speed: ``in`` first tries to use ``mark`` as an integer, and takes twice as long as ``find``.
    if payload.find(mark) < 0:
        return None
    try:
        return messages.parse(payload)
    except Refused:
        return None
