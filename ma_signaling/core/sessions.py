"""The sessions of this node's clients: how they begin and end, and who is told.

``announcing`` tells homes of them, ``opening`` opens them. The rules are those of *Messages* and *Loss and grace* in
docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from secrets import token_hex

from ma_signaling.config.settings import Settings
from ma_signaling.core import messages
from ma_signaling.core.admission import Admission
from ma_signaling.core.announcing import Announcing
from ma_signaling.core.answering import Answering
from ma_signaling.core.connection import Connection, Role
from ma_signaling.core.ending import Meaning
from ma_signaling.core.errors import SERVER_DISCONNECTED, SERVER_NOT_FOUND, WireError, home_busy
from ma_signaling.core.events import Event, Report
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.core.limits import Limits
from ma_signaling.core.opening import Opening
from ma_signaling.core.other_nodes import Relay
from ma_signaling.core.peer import Clock
from ma_signaling.core.remote_sessions import RemoteSessions
from ma_signaling.core.run_all import run_all
from ma_signaling.core.session import Negotiation, Session, SessionState, session_allowance
from ma_signaling.core.session_table import EndedSessions, SessionTable
from ma_signaling.core.session_trace import End, SessionTraces


class Sessions(SessionTable[Session]):
    """The sessions of this node's clients, and every change of one."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        report: Report,
        limits: Limits,
        ice_servers: IceServers,
        wall: Callable[[], float],
        relay: Relay,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._report = report
        self._relay = relay
        self._allowance = session_allowance(settings)
        self.by_client: dict[Connection, Session] = {}
        self.ended = EndedSessions(clock)
        self.remote = RemoteSessions(settings, clock, self.ended, relay)
        self._admission = Admission(settings, report)
        self.traces = SessionTraces(settings.session_traces)
        self.answering = Answering(clock, partial(self._end_unanswered, end=End.UNANSWERED))
        self.opening = Opening(settings, clock, report, limits, ice_servers, wall, self._not_found)
        end_unanswered = partial(self._end_unanswered, end=End.HOME_LOST)
        self.announcing = Announcing(clock, report, self.opening, self.answering, end_unanswered)

    def reconfigure(self) -> None:
        """Apply changed settings; sessions that have begun keep their budgets."""
        self._allowance = session_allowance(self._settings)

    def request(self, client: Connection, home: Home) -> None:
        """Begin a session of ``client`` with ``home``, and answer it later. Raises ``Refused`` with ``home_busy``."""
        now = self._clock.seconds()
        self._admit(home, client.address.key, now)
        session_id = token_hex(16)
        trace = self.traces.begin(session_id, now)
        session = Session(session_id, client, home, self._allowance, now, trace)
        session.gives_role = client.role is Role.NONE
        client.take_role(Role.CLIENT)
        client.hears_errors = True
        self.by_client[client] = session
        self.add(session)
        self.announcing.begin(session)

    def admit_remote(self, home: Home, session_id: str, node: str, key: str) -> None:
        """Add a session with ``home``, which is connected here, of a client of ``node`` at the address ``key``.

        Raises ``Refused`` with ``home_busy``.
        """
        self._admit(home, key, self._clock.seconds())
        self.remote.attach(home, session_id, node, key)

    def is_busy(self, home: Home) -> bool:
        """Return whether one of a home's sessions occupies it."""
        now = self._clock.seconds()
        return any(session.occupies_home(now) for session in chain(self.of(home), self.remote.of(home)))

    def _end_unanswered(self, session: Session, end: End) -> None:
        """End an unanswered session; its client may ask again."""
        session.client.peer.send(messages.PEER_DISCONNECTED)
        self.leave(session, end)

    def offers_delivered(self, session_ids: list[str]) -> None:
        """Note that the offers of these sessions, which had waited, are now delivered, and set their deadlines."""
        now = self._clock.seconds()
        for session_id in session_ids:
            session = self.get(session_id)
            if session is not None:
                session.offered(now)
                self.answering.await_answer(session)
            elif (remote := self.remote.get(session_id)) is not None:
                remote.offered(now)
                self._relay.offered(remote)

    def client_gone(self, session: Session, meaning: Meaning) -> None:
        """End a session whose client's connection has ended.

        The home isn't told if a call is probably up, or if this server is going down.
        """
        if meaning is Meaning.RESTART:
            self._end(session, End.SERVER_STOPPED)
        elif meaning is Meaning.GOODBYE:
            self.leave(session, End.CLIENT_LEFT)
        elif session.negotiation is Negotiation.ANSWERED:
            self._end(session, End.CLIENT_LOST)
        else:
            self.leave(session, End.CLIENT_LOST)

    def leave(self, session: Session, end: End) -> None:
        """End a session on the client's side, and tell the home."""
        self._tell_of_end(session)
        self._end(session, end, tell_node=False)

    def home_left(self, session: Session, end: End) -> None:
        """End a session whose home is gone for good, and tell the client."""
        if session.state is SessionState.OPEN:
            session.client.peer.send(messages.PEER_DISCONNECTED)
            self._end(session, end)
        else:
            self._fail(session, SERVER_DISCONNECTED, end)

    def drain(self) -> None:
        """Answer all clients that wait for a session, since this server is going down."""
        pending = [session for session in self.all() if session.state is not SessionState.OPEN]
        run_all(partial(self.home_left, session, End.SERVER_STOPPED) for session in pending)

    def expire(self, session: Session) -> None:
        """End an answered session in silence: its home didn't come to go on with it, and the call may well be up."""
        self._end(session, End.HOME_LOST)

    def fail(self, session: Session, error: WireError, end: End) -> None:
        """End a session with an error for its client, and tell the home that the client is gone."""
        self._tell_of_end(session)
        self._fail(session, error, end, tell_node=False)

    def _tell_of_end(self, session: Session) -> None:
        if session.state is not SessionState.PARKED:
            session.home.client_left(session.id)

    def _fail(self, session: Session, error: WireError, end: End, *, tell_node: bool = True) -> None:
        if session.state is not SessionState.OPEN and session.home.state is not HomeState.LOOKED_UP:
            self._report(
                Event.SESSION_FAILED,
                session=session.id,
                remote_id=session.home.remote_id,
                reason=error.code,
                lasted=self._clock.seconds() - session.requested_at,
            )
        session.client.peer.send(messages.error(error))
        self._end(session, end, tell_node=tell_node)

    def _not_found(self, session: Session) -> None:
        self.fail(session, SERVER_NOT_FOUND, End.PARK_EXPIRED)

    def _end(self, session: Session, end: End, *, tell_node: bool = True) -> None:
        """End a session; ``tell_node``: tell the home's node, which may know it, if that is another one.

        Without ``tell_node`` it knows: it has passed on ``client_left`` to the home, or has itself ended the session.
        """
        now = self._clock.seconds()
        before, session.state = session.state, SessionState.ENDED
        session.forget()
        self.remove(session)
        del self.by_client[session.client]
        session.home.session_ended(session.id)
        session.client.session_ended(session.id)
        self.ended.add(session.id, session.home.remote_id)
        if before is SessionState.OPEN:
            self.opening.closed()
            self._report(
                Event.SESSION_ENDED,
                session=session.id,
                remote_id=session.home.remote_id,
                end=end.value,
                lasted=now - session.requested_at,
                why=session.client.why,
            )
        elif session.gives_role:
            session.client.take_role(Role.NONE)
        if session.trace is not None:
            session.trace.ended(end, now)
            if end is End.UNKNOWN_HOME:
                self.traces.forget(session.id)
            else:
                self.traces.ended(session.id, now)
        if tell_node and before is not SessionState.PARKED:
            self._relay.ended(session)

    def _admit(self, home: Home, key: str, now: float) -> None:
        crowded_out = self._admission.admit(home, key, now)
        if isinstance(crowded_out, Session):
            self.crowd_out(crowded_out)
        elif crowded_out is not None:
            self.remote.crowd_out(crowded_out)

    def evicted(self, session_id: str, /, *, was_waiting: bool) -> None:
        """Handle that the held messages of a session were dropped for another one's (``held_bytes.Evicted``).

        Nothing is lost in silence: an unanswered session ends if its home has yet to get those messages. An answered
        one goes on, since the call is probably up.
        """
        session = self.get(session_id) or self.remote.get(session_id)
        if session is None or not (was_waiting or session.home.connection is None):
            return
        if session.negotiation is Negotiation.ANSWERED:
            self._report(Event.MESSAGE_DROPPED, reason=home_busy(1).code)
        elif isinstance(session, Session):
            self.crowd_out(session)
        else:
            self.remote.crowd_out(session)

    def crowd_out(self, session: Session) -> None:
        """Evict a session for another one of its home; a call that is probably up goes on."""
        if session.negotiation is Negotiation.ANSWERED:
            self._end(session, End.CROWDED_OUT)
        else:
            self.fail(session, home_busy(1), End.CROWDED_OUT)

    def turn_away(self, session: Session, wait: float) -> None:
        """End a session for which the home's node has no room; a call that is probably up goes on."""
        if session.negotiation is Negotiation.ANSWERED:
            self._end(session, End.CROWDED_OUT, tell_node=False)
        else:
            self._fail(session, home_busy(wait), End.CROWDED_OUT, tell_node=False)
