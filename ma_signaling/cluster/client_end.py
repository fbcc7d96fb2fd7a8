"""The client's end of sessions across nodes: the client's node leads a session, and the home's node forwards."""

from __future__ import annotations

from functools import partial

from ma_signaling.cluster.bus import Fields
from ma_signaling.cluster.context import Context
from ma_signaling.cluster.directory import Directory
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
        context.on("to-client", self._on_to_client)
        context.on("candidates-to-client", self._on_candidates_to_client)
        context.on("session-ready", self._on_session_ready)
        context.on("offered", self._on_offered)
        context.on("busy", self._on_busy)
        context.on("full", self._on_full)
        context.on("not-here", self._on_not_here)
        context.on("met-again", self._on_met_again)

    def to_home(self, holder: RemoteHome, session_id: str, kind: str, payload: bytes) -> None:
        """Implements ``remote_home.Messages.to_home``."""
        about = self._about_session(holder, session_id)
        self._context.send(holder.node, "to-home", payload, **about, type=kind)

    def all_to_home(self, holder: RemoteHome, session_id: str, candidates: list[bytes]) -> None:
        """Implements ``remote_home.Messages.all_to_home``."""
        about = self._about_session(holder, session_id)
        self._context.send_all(holder.node, "candidates-to-home", candidates, b"", **about)

    def attach(self, holder: RemoteHome, *, always: bool = False) -> None:
        """Implements ``remote_home.Messages.attach``."""
        home = self._context.hub.registry.held_by(holder)
        assert home is not None
        known = [
            [session.id, session.key, *_as_flags(session.negotiation)]
            for session in self._context.hub.sessions.of(home)
            if session.state is not SessionState.PARKED
        ]
        if known or always:
            self._context.send(holder.node, "attach", **self._about(holder), sessions=known)

    def ended(self, session: Session) -> None:
        """Implements ``other_nodes.Relay.ended``."""
        holder = session.home.connection
        if isinstance(holder, RemoteHome):
            self._context.send(holder.node, "detach", **self._about(holder), session=session.id)

    def _on_to_client(self, fields: Fields) -> None:
        """A home has sent a message in a session of a client here."""
        holder = self._holder(fields)
        if holder is None:
            return
        try:
            places = bytes.fromhex(fields["places"])
            self._context.hub.deliver(holder, fields["session"], fields["type"], fields["bodies"][0], places)
        except Refused as refused:
            if fields["type"] != "ice-candidate":
                about = self._about(holder)
                self._context.send(holder.node, "undeliverable", error(refused.error), **about)

    def _on_candidates_to_client(self, fields: Fields) -> None:
        """A home has sent ICE candidates in a session of a client here."""
        holder = self._holder(fields)
        if holder is not None:
            places = bytes.fromhex(fields["places"])
            self._context.hub.deliver_all(holder, fields["session"], fields["bodies"], places)

    def _on_session_ready(self, fields: Fields) -> None:
        """A home is ready for a session of a client here; the body has its ICE servers, if it gave any."""
        session = self._session(fields)
        if (
            self._holder(fields) is not None
            and session is not None
            and session.state is not SessionState.OPEN
        ):
            self._context.hub.sessions.opening.ready(session, next(iter(fields["bodies"]), None))

    def _on_offered(self, fields: Fields) -> None:
        """A home has got an offer that had to wait: its time to answer begins now."""
        session = self._session(fields)
        if session is not None:
            self._context.hub.sessions.answering.await_answer(session)

    def _on_busy(self, fields: Fields) -> None:
        """A home didn't take a client's message."""
        session = self._session(fields)
        if session is not None:
            self._context.hub.not_taken(session, fields["type"])

    def _on_full(self, fields: Fields) -> None:
        """A home has no room for a session, or has evicted it."""
        session = self._session(fields)
        if session is not None:
            self._context.hub.sessions.turn_away(session, fields["wait"])

    def _on_not_here(self, fields: Fields) -> None:
        """A home isn't connected to the node that this node knows as its holder's."""
        holder = self._holder(fields)
        if holder is not None and holder.name == fields["connection"]:
            self._directory.lose(holder)

    def _on_met_again(self, fields: Fields) -> None:
        """A node had given this one up, and told its homes that unanswered sessions are over: they begin anew."""
        lost = [holder for holder in self._directory.remote_homes() if holder.node == fields["node"]]
        run_all(partial(self._directory.lose, holder) for holder in lost)
        run_all(partial(self._directory.look_up, holder.home_id) for holder in lost)

    def _holder(self, fields: Fields) -> RemoteHome | None:
        """Return the holder of a Remote ID, if it is connected to the node that sent the message."""
        holder = self._directory.remote_home(fields["remote_id"])
        return holder if holder is not None and holder.node == fields["node"] else None

    def _session(self, fields: Fields) -> Session | None:
        session = self._context.hub.sessions.get(fields["session"])
        is_of_home = session is not None and session.home.remote_id == fields["remote_id"]
        return session if is_of_home else None

    @staticmethod
    def _about(holder: RemoteHome) -> Fields:
        return {"remote_id": holder.home_id, "connection": holder.name}

    def _about_session(self, holder: RemoteHome, session_id: str) -> Fields:
        session = self._context.hub.sessions.get(session_id)
        return {
            **self._about(holder),
            "session": session_id,
            "address": "" if session is None else session.key,
            "answered": session is not None and session.negotiation is Negotiation.ANSWERED,
        }


def _as_flags(negotiation: Negotiation) -> tuple[bool, bool]:
    """Return whether there has been an offer, and whether there has been an answer."""
    return negotiation is not Negotiation.NOTHING, negotiation is Negotiation.ANSWERED
