"""Sessions across nodes: the client's node leads a session, and the home's node forwards what both peers send.

The home's node counts the sessions, for the home's own protection, and charges what the home sends. The rest of a
session (deadlines, budgets, grace, trace) is on the client's node, and so outlives the home's node. Nodes trust each
other: what the sender's node has parsed and charged is delivered unchanged.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from ma_signaling.cluster.bus import Fields
from ma_signaling.cluster.client_end import ClientEnd
from ma_signaling.cluster.context import Context
from ma_signaling.cluster.directory import Directory
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
    """The home's end of sessions across nodes; ``clients`` is the other end (implements ``other_nodes.Relay``)."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self.clients = ClientEnd(context, directory)
        self._context = context
        self._announced: dict[str, Connection] = {}
        """By session: the home's connection here to which it was announced."""
        self._turned_away = EndedSessions(context.clock)
        """Sessions of other nodes' clients that were evicted, or found no room."""
        self._lost: deque[tuple[float, Home, str]] = deque()
        """Answered sessions whose client's node is gone: when each was lost, its home and its ID; oldest first."""
        context.on("to-home", self._on_to_home)
        context.on("candidates-to-home", self._on_candidates_to_home)
        context.on("undeliverable", self._on_undeliverable)
        context.on("attach", self._on_attach)
        context.on("detach", self._on_detach)

    def ended(self, session: Session) -> None:
        """Implements ``other_nodes.Relay.ended``."""
        self.clients.ended(session)

    def forward(self, session: RemoteSession, kind: str, payload: bytes, places: bytes) -> None:
        """Implements ``other_nodes.Relay.forward``."""
        about = {"remote_id": session.home.remote_id, "session": session.id, "type": kind}
        self._context.send(session.node, "to-client", payload, **about, places=places.hex())

    def forward_all(self, session: RemoteSession, candidates: list[bytes], places: bytes) -> None:
        """Implements ``other_nodes.Relay.forward_all``."""
        about = {"remote_id": session.home.remote_id, "session": session.id}
        self._context.send_all(session.node, "candidates-to-client", candidates, places, **about)

    def ready(self, session: RemoteSession, ice_servers: bytes | None) -> None:
        """Implements ``other_nodes.Relay.ready``."""
        about = {"remote_id": session.home.remote_id, "session": session.id}
        bodies = () if ice_servers is None else (ice_servers,)
        self._context.send(session.node, "session-ready", *bodies, **about)

    def offered(self, session: RemoteSession) -> None:
        """Implements ``other_nodes.Relay.offered``."""
        self._context.send(session.node, "offered", remote_id=session.home.remote_id, session=session.id)

    def crowd_out(self, session: RemoteSession) -> None:
        """Implements ``other_nodes.Relay.crowd_out``."""
        self._announced.pop(session.id, None)
        self._turn_away(session.home, session.id, session.node, 1)

    def _turn_away(self, home: Home, session_id: str, node: str, wait: float) -> None:
        self._turned_away.add(session_id, home.remote_id)
        self._context.send(node, "full", remote_id=home.remote_id, session=session_id, wait=wait)

    def _on_to_home(self, fields: Fields) -> None:
        """A message for a home, in a session of another node's client."""
        if (recipient := self._recipient(fields)) is None:
            return
        home, connection = recipient
        payload: bytes = fields["bodies"][0]
        match fields["type"]:
            case "client-connected":
                self._announce(home, connection, fields)
            case "client-disconnected":
                # Detach first, so that the end needn't wait behind an offer: the session may be announced anew.
                self._on_detach(fields)
                home.forward(fields["session"], fields["type"], payload)
            case kind:
                if (session := self._session(home, connection, fields)) is not None:
                    self._deliver(session, kind, payload)

    def _on_candidates_to_home(self, fields: Fields) -> None:
        """ICE candidates for a home, in a session of another node's client."""
        if (recipient := self._recipient(fields)) is None:
            return
        home, connection = recipient
        if (session := self._session(home, connection, fields)) is None:
            return
        if home.is_at_hand:
            connection.forward_all(session.id, fields["bodies"])
        else:
            for candidate in fields["bodies"]:
                self._deliver(session, "ice-candidate", candidate)

    def _recipient(self, fields: Fields) -> tuple[Home, Connection] | None:
        """Return the home of this node to which a message in a session is addressed, and its connection, or None."""
        home = self._local_home(fields)
        # A message of a session that was turned away was sent before the client's node heard of that.
        if home is None or self._turned_away.lately(fields["session"]):
            return None
        assert home.connection is not None
        return home, home.connection

    def _session(self, home: Home, connection: Connection, fields: Fields) -> RemoteSession | None:
        """Return the session of a message that was sent to this connection; None if the Remote ID had another holder.

        The client's node hears of this one, if it hasn't yet, and begins the session anew or has it wait for a proof.
        """
        if fields["connection"] != connection.id:
            self._say_not_here(fields)
            return None
        return self._known(home, fields["session"]) or self._attach(home, fields, fields["session"])

    def _deliver(self, session: RemoteSession, kind: str, payload: bytes) -> None:
        if not session.home.take(session.id, kind, payload, session.key):
            about = {"remote_id": session.home.remote_id, "session": session.id, "type": kind}
            self._context.send(session.node, "busy", **about)
        elif kind == "offer":
            session.offered(self._context.clock.seconds())

    def _announce(self, home: Home, connection: Connection, fields: Fields) -> None:
        session_id, node = fields["session"], fields["node"]
        if self._known(home, session_id) is None:
            try:
                self._context.hub.sessions.admit_remote(home, session_id, node, fields["address"])
            except Refused as refused:
                self._turn_away(home, session_id, node, refused.error.retry_after or 1)
                return
        # The client's node announces it again when it hasn't heard from this node for a while; the home is told once.
        if self._announced.get(session_id) is not connection:
            self._announced[session_id] = connection
            connection.peer.send(fields["bodies"][0])

    def _on_undeliverable(self, fields: Fields) -> None:
        """A message of a home could not be delivered: send the home the error."""
        home = self._local_home(fields)
        if home is not None and home.connection is not None:
            home.connection.peer.send(fields["bodies"][0])

    def _on_attach(self, fields: Fields) -> None:
        """Another node lists all its sessions with a home of this node."""
        home = self._local_home(fields)
        if home is None:
            return
        sessions = self._context.hub.sessions
        listed = {session_id for session_id, *_ in fields["sessions"]}
        for session in sessions.remote.of(home):
            if session.node == fields["node"] and session.id not in listed:
                self._announced.pop(session.id, None)
                sessions.remote.detach(home, session.id)
        for session_id, address, offered, answered in fields["sessions"]:
            if self._turned_away.lately(session_id):
                continue
            about = {"node": fields["node"], "address": address}
            session = self._known(home, session_id) or self._attach(home, about, session_id)
            session.renewed_at = self._context.clock.seconds()
            if session.negotiation is not Negotiation.ANSWERED:
                # If it is answered here, the answer is on its way to the client's node.
                session.negotiation = _from_flags(offered, answered)

    def _attach(self, home: Home, fields: Fields, session_id: str) -> RemoteSession:
        attach = self._context.hub.sessions.remote.attach
        session = attach(home, session_id, fields["node"], fields["address"])
        if fields.get("answered"):
            session.negotiation = Negotiation.ANSWERED
        return session

    def _on_detach(self, fields: Fields) -> None:
        """A session with a home of this node has ended."""
        home = self._context.hub.registry.find(fields["remote_id"])
        self._announced.pop(fields["session"], None)
        if home is not None:
            self._context.hub.sessions.remote.detach(home, fields["session"])

    def _known(self, home: Home, session_id: str) -> RemoteSession | None:
        session = self._context.hub.sessions.remote.get(session_id)
        return session if session is not None and session.home is home else None

    def _local_home(self, fields: Fields) -> Home | None:
        home = self._context.hub.registry.find(fields["remote_id"])
        if home is not None and home.state is HomeState.LOCAL:
            return home
        self._say_not_here(fields)
        return None

    def _say_not_here(self, fields: Fields) -> None:
        about = {"remote_id": fields["remote_id"], "connection": fields["connection"]}
        self._context.send(fields["node"], "not-here", **about)

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


def _from_flags(offered: bool, answered: bool) -> Negotiation:
    if answered:
        return Negotiation.ANSWERED
    return Negotiation.OFFERED if offered else Negotiation.NOTHING
