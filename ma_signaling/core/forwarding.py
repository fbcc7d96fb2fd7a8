"""Messages within sessions: offer, answer and ICE candidate go to the other side; session-ready opens the session.

Each is charged to its session and direction; one that belongs to no session of its sender, to the connection.
"""

from __future__ import annotations

from typing import NoReturn

from ma_signaling.core import candidate_counts, messages
from ma_signaling.core.asking_for_proof import Asking
from ma_signaling.core.connection import Connection, Role
from ma_signaling.core.errors import (
    CLIENT_NOT_FOUND,
    NOT_A_SERVER,
    NOT_REGISTERED,
    SESSION_ID_REQUIRED,
    SESSION_NOT_FOUND,
    Refused,
    WireError,
    home_busy,
)
from ma_signaling.core.events import Event, Limit, Report
from ma_signaling.core.message_charges import Charges, OverBudget
from ma_signaling.core.messages import Message
from ma_signaling.core.other_nodes import Relay
from ma_signaling.core.peer import Clock
from ma_signaling.core.session import RemoteSession, Session, SessionState
from ma_signaling.core.sessions import Sessions

# Module globals, for speed: a lookup in an enum's class costs more, and every message makes some.
_CLIENT = Role.CLIENT
_OPEN = SessionState.OPEN


class Forwarding:
    """Handles the messages of all sessions, of those that ask for proof as well."""

    def __init__(
        self, clock: Clock, report: Report, sessions: Sessions, charges: Charges, relay: Relay
    ) -> None:
        self._clock = clock
        self._report = report
        self._sessions = sessions
        self._charges = charges
        self._charge = charges.charge
        self._relay = relay
        self._session_of = sessions.by_client.get

    def _answers_asking(self, asking: Asking, message: Message, payload: bytes) -> bool:
        """Handle a message of the session that asks a connection for proof; return False if it isn't one."""
        if message.get("sessionId") != asking.session_id:
            return False
        if not asking.budget.spend(self._clock.seconds(), len(payload)):
            raise OverBudget(asking.budget)
        asking.received(message)
        return True

    def session_ready(self, connection: Connection, message: Message, payload: bytes) -> None:
        if connection.asking is not None and self._answers_asking(connection.asking, message, payload):
            return
        session_id = self._session_id(connection, message)
        session = self._sessions.get(session_id)
        if session is None and (remote := self._remote_session(connection, session_id)) is not None:
            self._charge_home(remote, payload)
            self._relay.ready(remote, messages.ice_servers(message))
            return
        is_its_own = session is not None and session.home.connection is connection
        if session is not None and is_its_own:
            self._charge_home(session, payload)
        else:
            self._charge_stray(connection, session_id, payload)
        if session is None or session.state is _OPEN:
            return
        if connection.remote_id is None:
            raise Refused(NOT_A_SERVER)
        if is_its_own:
            self._sessions.opening.ready(session, messages.ice_servers(message))

    def forward(self, connection: Connection, message: Message, payload: bytes) -> None:
        if connection.asking is not None and self._answers_asking(connection.asking, message, payload):
            return
        if connection.remote_id is not None:
            self._forward_to_client(connection, message, payload)
        elif connection.role is _CLIENT:
            self._forward_to_home(connection, message, payload)
        else:
            self._charge(connection)
            raise Refused(NOT_REGISTERED)

    def _forward_to_home(self, client: Connection, message: Message, payload: bytes) -> None:
        session = self._session_of(client)
        if client.earlier_sessions and client.means_earlier(
            message.get("sessionId"), None if session is None else session.id
        ):
            self._charges.charge_late(client, len(payload))
            self._dropped(SESSION_NOT_FOUND)
            return
        if session is None:
            if client.earlier_sessions and self._sessions.ended.lately(client.earlier_sessions[-1]):
                self._charges.charge_late(client, len(payload))
                self._dropped(SESSION_NOT_FOUND)
                return
            self._charge(client)
            raise Refused(SESSION_NOT_FOUND)
        now = self._clock.seconds()
        if not session.from_client.spend(now, len(payload)):
            raise OverBudget(session.from_client)
        if session.state is not _OPEN:
            raise Refused(SESSION_NOT_FOUND)
        kind: str = message["type"]
        if not session.client_sends(kind, messages.with_session_id(message, payload, session.id), now):
            self._refuse_busy()
        if kind == "offer":
            self._sessions.answering.await_answer(session)
        if session.trace is not None:
            session.trace.client.sent(kind, candidate_counts.places(message), now)

    def _forward_to_client(self, connection: Connection, message: Message, payload: bytes) -> None:
        session_id = self._session_id(connection, message)
        session = self._sessions.get(session_id)
        kind: str = message["type"]
        if session is not None and session.home.connection is connection:
            now = self._clock.seconds()
            # ``_charge_home`` inlined, for speed.
            if not session.from_home.spend(now, len(payload)):
                raise OverBudget(session.from_home)
            if session.state is not _OPEN:
                raise Refused(CLIENT_NOT_FOUND)
            sent = messages.for_client(message, payload)
            places = candidate_counts.places(message) if session.trace is not None else b""
            self._send_client(connection, session, kind, sent, places, now)
        elif session is None and (remote := self._remote_session(connection, session_id)) is not None:
            self._charge_home(remote, payload)
            sent = messages.for_client(message, payload)
            self._relay.forward(remote, kind, sent, candidate_counts.places(message))
            if kind == "answer":
                remote.answered(connection.address)
        elif self._charge_stray(connection, session_id, payload):
            raise Refused(CLIENT_NOT_FOUND)
        else:
            self._dropped(CLIENT_NOT_FOUND)

    def deliver(self, home: Connection, session_id: str, kind: str, payload: bytes, places: bytes) -> None:
        """Send a client a message of a home on another node, which has parsed it and charged the home.

        Raises ``Refused`` with the error for the home.
        """
        session = self._sessions.get(session_id)
        if session is not None and session.home.connection is home and session.state is _OPEN:
            self._send_client(home, session, kind, payload, places, self._clock.seconds())
        elif kind == "ice-candidate" or self._sessions.ended.lately(session_id, home.remote_id):
            self._dropped(CLIENT_NOT_FOUND)
        else:
            raise Refused(CLIENT_NOT_FOUND)

    def not_taken(self, session: Session, kind: str) -> None:
        """Tell a client that its home, on another node, had no room for a message of type ``kind``."""
        if hears(session.client, kind):
            session.client.peer.send(messages.error(home_busy(1)))
        else:
            self._dropped(home_busy(1))

    def _send_client(
        self, home: Connection, session: Session, kind: str, payload: bytes, places: bytes, now: float
    ) -> None:
        if session.id in session.home.suspended:
            self._dropped(CLIENT_NOT_FOUND)
            return
        peer = session.client.peer
        if peer.congested:
            self._refuse_busy()
        peer.send(payload)
        if kind == "answer":
            session.answered(home.address)
        if session.trace is not None:
            session.trace.home.sent(kind, places, now)

    def _remote_session(self, connection: Connection, session_id: str) -> RemoteSession | None:
        session = self._sessions.remote.get(session_id)
        return session if session is not None and session.home.connection is connection else None

    def _charge_home(self, session: Session | RemoteSession, payload: bytes) -> None:
        """Charge a session for a message of its home. Raises ``OverBudget``."""
        if not session.from_home.spend(self._clock.seconds(), len(payload)):
            raise OverBudget(session.from_home)

    def _dropped(self, unsaid: WireError) -> None:
        """Count a message that is dropped in silence, by the error that is not sent."""
        self._report(Event.MESSAGE_DROPPED, reason=unsaid.code)

    def _refuse_busy(self) -> NoReturn:
        self._report(Event.LIMIT_HIT, limit=Limit.UNSENT_BYTES)
        raise Refused(home_busy(1))

    def _session_id(self, connection: Connection, message: Message) -> str:
        session_id = message.get("sessionId")
        if type(session_id) is str and session_id:
            return session_id
        self._charge(connection)
        raise Refused(SESSION_ID_REQUIRED)

    def _charge_stray(self, connection: Connection, session_id: str, payload: bytes) -> bool:
        """Charge a message that names no session of the sender.

        Returns False, and charges only the bytes, if it was one of the sender's that ended within the last minute.
        """
        if connection.remote_id is not None and self._sessions.ended.lately(session_id, connection.remote_id):
            self._charges.charge_late(connection, len(payload))
            return False
        self._charge(connection)
        return True


def hears(connection: Connection, kind: str) -> bool:
    """Return whether a connection is sent an error about a message of type ``kind``.

    Not where it would do harm: any ``error`` ends a call in the mobile app (protocol.md, *Errors to a peer*).
    """
    return kind != "ice-candidate" and (connection.hears_errors or kind == "connect-request")
