"""Sessions across nodes: the client's node leads a session, and the home's node forwards what both peers send.

The home's node counts the sessions, for the home's own protection, and charges what the home sends. The rest of a
session (deadlines, budgets, grace, trace) is on the client's node, and so outlives the home's node. Nodes trust each
other: what the sender's node has parsed and charged is delivered unchanged.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from ma_signaling.cluster.client_end import ClientEnd
from ma_signaling.cluster.context import Context
from ma_signaling.cluster.directory import Directory
from ma_signaling.cluster.messages.sessions import (
    Attach,
    Busy,
    Detach,
    FromClient,
    Full,
    NotHere,
    Offered,
    SessionReady,
    ToClient,
    ToHome,
    Undeliverable,
)
from ma_signaling.cluster.registrations import REPEAT_SECONDS
from ma_signaling.core.connection import Connection
from ma_signaling.core.errors import Refused
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.run_all import run_all
from ma_signaling.core.session import Negotiation, RemoteSession, Session
from ma_signaling.core.session_table import REMEMBERED_END, EndedSessions

RENEWED_SECONDS = 3 * REPEAT_SECONDS
"""A session that its client's node hasn't listed for so long has ended: the message that said so was lost."""

RENEWED_AFTER_OUTAGE = 10.0
"""The same after an outage of NATS, when each node lists its sessions immediately."""


class Relay:
    """The home's end of sessions across nodes; ``client_end`` is the other end (implements ``other_nodes.Relay``)."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self.client_end = ClientEnd(context, directory)
        self._context = context
        self._announced: dict[str, Connection] = {}
        """By session: the home's connection here to which it was announced."""
        self._turned_away = EndedSessions(context.clock)
        """Sessions of other nodes' clients that were evicted, or found no room."""
        self._lost: deque[tuple[float, Home, str]] = deque()
        """Answered sessions whose client's node is gone: when each was lost, its home and its ID; oldest first."""
        context.on_bodies(ToHome, self._on_to_home)
        context.on_bodies(Undeliverable, self._on_undeliverable)
        context.on(Attach, self._on_attach)
        context.on(Detach, self._on_detach)

    def ended(self, session: Session) -> None:
        """Implements ``other_nodes.Relay.ended``."""
        self.client_end.ended(session)

    def forward(self, session: RemoteSession, kind: str, payload: bytes, places: bytes) -> None:
        """Implements ``other_nodes.Relay.forward``."""
        self._context.send(session.node, _to_client(session, kind, places), payload)

    def forward_all(self, session: RemoteSession, candidates: list[bytes], places: bytes) -> None:
        """Implements ``other_nodes.Relay.forward_all``."""
        self._context.send_all(session.node, _to_client(session, "ice-candidate", places), candidates)

    def ready(self, session: RemoteSession, ice_servers: bytes | None) -> None:
        """Implements ``other_nodes.Relay.ready``."""
        ready = SessionReady(remote_id=session.home.remote_id, session=session.id)
        bodies = () if ice_servers is None else (ice_servers,)
        self._context.send(session.node, ready, *bodies)

    def offered(self, session: RemoteSession) -> None:
        """Implements ``other_nodes.Relay.offered``."""
        offered = Offered(remote_id=session.home.remote_id, session=session.id)
        self._context.send(session.node, offered)

    def crowd_out(self, session: RemoteSession) -> None:
        """Implements ``other_nodes.Relay.crowd_out``."""
        self._announced.pop(session.id, None)
        self._turn_away(session.home, session.id, session.node, 1)

    def _turn_away(self, home: Home, session_id: str, node: str, wait: float) -> None:
        self._turned_away.add(session_id, home.remote_id)
        self._context.send(node, Full(remote_id=home.remote_id, session=session_id, wait=wait))

    def _on_to_home(self, message: ToHome, bodies: list[bytes]) -> None:
        if (recipient := self._recipient(message)) is None:
            return
        home, connection = recipient
        match message.type:
            case "client-connected":
                self._announce(home, connection, message, bodies[0])
            case "client-disconnected":
                # Detach first, so that the end needn't wait behind an offer: the session may be announced anew.
                self._on_detach(message)
                home.forward(message.session, message.type, bodies[0])
            case kind if (session := self._session(home, connection, message)) is not None:
                if len(bodies) > 1 and home.is_at_hand:
                    connection.forward_all(session.id, bodies)
                    return
                for payload in bodies:
                    self._deliver(session, kind, payload)

    def _recipient(self, message: ToHome) -> tuple[Home, Connection] | None:
        """Return the home of this node to which a message in a session is addressed, and its connection, or None."""
        home = self._local_home(message)
        # A message of a session that was turned away was sent before the client's node heard of that.
        if home is None or self._turned_away.lately(message.session):
            return None
        assert home.connection is not None
        return home, home.connection

    def _session(self, home: Home, connection: Connection, message: ToHome) -> RemoteSession | None:
        """Return the session of a message that was sent to this connection; None if the Remote ID had another holder.

        The client's node hears of this one, if it hasn't yet, and begins the session anew or has it wait for a proof.
        """
        if message.connection != connection.id:
            self._say_not_here(message)
            return None
        session = self._known(home, message.session)
        if session is None:
            attach = self._context.hub.sessions.remote.attach
            session = attach(home, message.session, message.sender, message.address)
            session.announcement = message.announcement
            if message.is_answered:
                session.negotiation = Negotiation.ANSWERED
        return session

    def _deliver(self, session: RemoteSession, kind: str, payload: bytes) -> None:
        if not session.home.take(session.id, kind, payload, session.key):
            busy = Busy(remote_id=session.home.remote_id, session=session.id, type=kind)
            self._context.send(session.node, busy)
        elif kind == "offer":
            session.offered(self._context.clock.seconds())

    def _announce(self, home: Home, connection: Connection, message: ToHome, payload: bytes) -> None:
        session_id, node = message.session, message.sender
        if self._known(home, session_id) is None:
            try:
                self._context.hub.sessions.admit_remote(home, session_id, node, message.address)
            except Refused as refused:
                self._turn_away(home, session_id, node, refused.error.retry_after or 1)
                return
        session = self._known(home, session_id)
        if session is not None:
            session.announcement = message.announcement
        # The client's node announces it again when it hasn't heard from this node for a while; the home is told once.
        if self._announced.get(session_id) is not connection:
            self._announced[session_id] = connection
            connection.peer.send(payload)

    def _on_undeliverable(self, message: Undeliverable, bodies: list[bytes]) -> None:
        home = self._local_home(message)
        if home is not None and home.connection is not None:
            (error,) = bodies
            home.connection.peer.send(error)

    def _on_attach(self, message: Attach) -> None:
        home = self._local_home(message)
        if home is None:
            return
        remote = self._context.hub.sessions.remote
        listed = {attached.session for attached in message.sessions}
        for session in remote.of(home):
            if session.node == message.sender and session.id not in listed:
                self._announced.pop(session.id, None)
                remote.detach(home, session.id)
        for attached in message.sessions:
            if self._turned_away.lately(attached.session):
                continue
            known = self._known(home, attached.session)
            session = known or remote.attach(home, attached.session, message.sender, attached.address)
            session.announcement = attached.announcement
            session.renewed_at = self._context.clock.seconds()
            if session.negotiation is not Negotiation.ANSWERED:
                # If it is answered here, the answer is on its way to the client's node.
                session.negotiation = attached.negotiation

    def _on_detach(self, message: FromClient) -> None:
        home = self._context.hub.registry.find(message.remote_id)
        self._announced.pop(message.session, None)
        if home is not None:
            self._context.hub.sessions.remote.detach(home, message.session)

    def _known(self, home: Home, session_id: str) -> RemoteSession | None:
        session = self._context.hub.sessions.remote.get(session_id)
        return session if session is not None and session.home is home else None

    def _local_home(self, message: FromClient | Attach | Undeliverable) -> Home | None:
        home = self._context.hub.registry.find(message.remote_id)
        if home is not None and home.state is HomeState.LOCAL:
            return home
        self._say_not_here(message)
        return None

    def _say_not_here(self, message: FromClient | Attach | Undeliverable) -> None:
        not_here = NotHere(remote_id=message.remote_id, connection=message.connection)
        self._context.send(message.sender, not_here)

    # Losses

    def handed_on(self, home: Home) -> None:
        """Forget the sessions of a home that another node now holds, or that is gone for good."""
        for session in self._context.hub.sessions.remote.of(home):
            self._announced.pop(session.id, None)
        self._context.hub.sessions.remote.forget(home)

    def lose_node(self, node: str, *, goodbye: bool) -> None:
        """Lose the clients of a node that is gone; ``goodbye``: it is restarting, and homes aren't told."""
        lost = [session for session in self._context.hub.sessions.remote.all() if session.node == node]
        run_all(partial(self._lose, session, goodbye=goodbye) for session in lost)

    def _lose(self, session: RemoteSession, *, goodbye: bool) -> None:
        if session.negotiation is Negotiation.ANSWERED and not goodbye:
            # The home isn't told. If that node lives after all, the session must not be announced to the home again.
            self._lost.append((self._context.clock.seconds(), session.home, session.id))
        else:
            self._announced.pop(session.id, None)
        remote = self._context.hub.sessions.remote
        if goodbye:
            remote.detach(session.home, session.id)
        else:
            remote.client_lost(session)

    def up(self) -> None:
        """Let sessions expire soon unless they are listed again, since ends during the outage were not heard."""
        latest = self._context.clock.seconds() - RENEWED_SECONDS + RENEWED_AFTER_OUTAGE
        for session in self._context.hub.sessions.remote.all():
            session.renewed_at = min(session.renewed_at, latest)

    def end_unrenewed(self) -> None:
        """End sessions that weren't listed for ``RENEWED_SECONDS``; call it only while the bus is up."""
        oldest = self._context.clock.seconds() - RENEWED_SECONDS
        over = [each for each in self._context.hub.sessions.remote.all() if each.renewed_at <= oldest]
        run_all(partial(self._lose, session, goodbye=False) for session in over)

    def tend(self) -> None:
        """Forget lost sessions that weren't announced again."""
        oldest = self._context.clock.seconds() - REMEMBERED_END
        while self._lost and self._lost[0][0] <= oldest:
            _, home, session_id = self._lost.popleft()
            if self._known(home, session_id) is None:
                self._announced.pop(session_id, None)


def _to_client(session: RemoteSession, kind: str, places: bytes) -> ToClient:
    return ToClient(
        remote_id=session.home.remote_id,
        session=session.id,
        type=kind,
        places=places,
        announcement=session.announcement,
    )
