"""The client's end of sessions across nodes: the client's node leads a session, and the home's node forwards."""

from __future__ import annotations

from functools import partial

from ma_signaling.cluster.context import Context
from ma_signaling.cluster.directory import Directory
from ma_signaling.cluster.messages.nodes import MetAgain
from ma_signaling.cluster.messages.sessions import (
    Attach,
    Attached,
    Busy,
    Detach,
    FromHome,
    Full,
    NotHere,
    Offered,
    SessionReady,
    ToClient,
    ToHome,
    Undeliverable,
)
from ma_signaling.cluster.remote_home import RemoteHome
from ma_signaling.core.errors import Refused
from ma_signaling.core.messages import error
from ma_signaling.core.run_all import run_all
from ma_signaling.core.session import Negotiation, Session, SessionState


class ClientEnd:
    """The client's end of all sessions that clients of this node have with homes of other nodes."""

    def __init__(self, context: Context, directory: Directory) -> None:
        self._context = context
        self._directory = directory
        context.on_bodies(ToClient, self._on_to_client)
        context.on_bodies(SessionReady, self._on_session_ready)
        context.on(Offered, self._on_offered)
        context.on(Busy, self._on_busy)
        context.on(Full, self._on_full)
        context.on(NotHere, self._on_not_here)
        context.on(MetAgain, self._on_met_again)

    def to_home(self, holder: RemoteHome, session_id: str, kind: str, payload: bytes) -> None:
        """Implements ``remote_home.Messages.to_home``."""
        self._context.send(holder.node, self._to_home(holder, session_id, kind), payload)

    def all_to_home(self, holder: RemoteHome, session_id: str, candidates: list[bytes]) -> None:
        """Implements ``remote_home.Messages.all_to_home``."""
        to_home = self._to_home(holder, session_id, "ice-candidate")
        self._context.send_all(holder.node, to_home, candidates)

    def attach(self, holder: RemoteHome, *, always: bool = False) -> None:
        """Implements ``remote_home.Messages.attach``."""
        home = self._context.hub.registry.held_by(holder)
        assert home is not None
        known = [
            Attached(session.id, session.key, session.announcements, session.negotiation)
            for session in self._context.hub.sessions.of(home)
            if session.state is not SessionState.PARKED
        ]
        if known or always:
            attach = Attach(remote_id=holder.home_id, connection=holder.name, sessions=known)
            self._context.send(holder.node, attach)

    def ended(self, session: Session) -> None:
        """Implements ``other_nodes.Relay.ended``."""
        holder = session.home.connection
        if isinstance(holder, RemoteHome):
            detach = Detach(remote_id=holder.home_id, connection=holder.name, session=session.id)
            self._context.send(holder.node, detach)

    def _on_to_client(self, message: ToClient, bodies: list[bytes]) -> None:
        holder, session = self._holder(message), self._context.hub.sessions.get(message.session)
        # What the home sent before it heard that the session begins anew belongs to the call that it has ended since.
        is_late = session is not None and message.announcement != session.announcements
        if holder is None or is_late:
            return
        if len(bodies) > 1:
            self._context.hub.deliver_all(holder, message.session, bodies, message.places)
            return
        try:
            self._context.hub.deliver(holder, message.session, message.type, bodies[0], message.places)
        except Refused as refused:
            if message.type != "ice-candidate":
                undeliverable = Undeliverable(remote_id=holder.home_id, connection=holder.name)
                self._context.send(holder.node, undeliverable, error(refused.error))

    def _on_session_ready(self, message: SessionReady, bodies: list[bytes]) -> None:
        session = self._session(message)
        if (
            self._holder(message) is not None
            and session is not None
            and session.state is not SessionState.OPEN
        ):
            self._context.hub.sessions.opening.ready(session, next(iter(bodies), None))

    def _on_offered(self, message: Offered) -> None:
        session = self._session(message)
        if session is not None:
            self._context.hub.sessions.answering.await_answer(session)

    def _on_busy(self, message: Busy) -> None:
        session = self._session(message)
        if session is not None:
            self._context.hub.not_taken(session, message.type)

    def _on_full(self, message: Full) -> None:
        session = self._session(message)
        if session is not None:
            self._context.hub.sessions.turn_away(session, message.wait)

    def _on_not_here(self, message: NotHere) -> None:
        holder = self._holder(message)
        if holder is not None and holder.name == message.connection:
            self._directory.lose(holder)

    def _on_met_again(self, message: MetAgain) -> None:
        lost = [holder for holder in self._directory.remote_homes() if holder.node == message.sender]
        run_all(partial(self._directory.lose, holder) for holder in lost)
        run_all(partial(self._directory.look_up, holder.home_id) for holder in lost)

    def _holder(self, message: FromHome | NotHere) -> RemoteHome | None:
        """Return the holder of a Remote ID, if it is connected to the node that sent the message."""
        holder = self._directory.remote_home(message.remote_id)
        return holder if holder is not None and holder.node == message.sender else None

    def _session(self, message: FromHome) -> Session | None:
        session = self._context.hub.sessions.get(message.session)
        is_of_home = session is not None and session.home.remote_id == message.remote_id
        return session if is_of_home else None

    def _to_home(self, holder: RemoteHome, session_id: str, kind: str) -> ToHome:
        session = self._context.hub.sessions.get(session_id)
        return ToHome(
            remote_id=holder.home_id,
            connection=holder.name,
            session=session_id,
            address="" if session is None else session.key,
            is_answered=session is not None and session.negotiation is Negotiation.ANSWERED,
            announcement=0 if session is None else session.announcements,
            type=kind,
        )
