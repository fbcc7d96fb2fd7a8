"""Sessions across nodes: the client's node leads them, and the home's node passes on what both say.

The home's node counts them, for the home's own protection, and charges what the home says; all else that a session is
(its deadlines, its budgets, its grace, its story) is on the client's node, so that it outlives the home's.
"""

from __future__ import annotations

from ma_signaling.cluster.here import Here
from ma_signaling.cluster.presence import Presence
from ma_signaling.cluster.remote_home import RemoteHome
from ma_signaling.cluster.wire import Fields
from ma_signaling.core.connection import Connection
from ma_signaling.core.errors import Refused, home_busy
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.messages import error
from ma_signaling.core.session import Negotiation, RemoteSession, Session, SessionState
from ma_signaling.core.session_table import REMEMBERED_END


class Relay:
    """Both ends of it."""

    def __init__(self, here: Here, presence: Presence) -> None:
        self._here = here
        self._presence = presence
        self._heard: dict[str, Connection] = {}
        """By session: the home's connection here that has heard of it, while it is connected."""
        self._crowded_out: set[str] = set()
        """Sessions that made way lately, or found no room."""

    # From the client's node to the home's

    def to_home(self, home: RemoteHome, session_id: str, kind: str, payload: bytes) -> None:
        """As ``remote_home.Messages`` has it."""
        session = self._here.hub.sessions.get(session_id)
        key = "" if session is None else session.key
        is_answered = session is not None and session.negotiation is Negotiation.ANSWERED
        about = self._about(home, s=session_id, kind=kind, k=key, answered=is_answered)
        self._here.tell(home.node, "tell", payload, **about)

    def attach(self, mirror: RemoteHome, *, always: bool = False) -> None:
        """A home is connected elsewhere: let its node know of the sessions here that the home knows.

        As ``remote_home.Messages`` has it.
        """
        home = self._here.hub.registry.held_by(mirror)
        assert home is not None
        known = [
            [session.id, session.key, *_told(session.negotiation)]
            for session in self._here.hub.sessions.of(home)
            if session.state is not SessionState.PARKED
        ]
        if known or always:
            self._here.tell(mirror.node, "attach", **self._about(mirror, sessions=known))

    def ended(self, session: Session) -> None:
        """A session here has ended, and its home isn't told."""
        mirror = session.home.connection
        if isinstance(mirror, RemoteHome):
            self._here.tell(mirror.node, "detach", **self._about(mirror, s=session.id))

    def hear_busy(self, fields: Fields) -> None:
        """A home did not take what one of its clients sent."""
        session = self._session(fields)
        if session is not None:
            session.client.peer.send(error(home_busy(1)))

    def hear_full(self, fields: Fields) -> None:
        """A home has no room for a session, or none any more."""
        session = self._session(fields)
        if session is not None:
            self._here.hub.sessions.turn_away(session, fields["wait"])

    def hear_said(self, fields: Fields, body: bytes) -> None:
        """A home has said something in a session of a client here; its node has parsed it, and charged the home."""
        home = self._home_elsewhere(fields)
        if home is None:
            return
        try:
            self._here.hub.deliver(home, fields["s"], fields["kind"], body, bytes(fields["places"]))
        except Refused as refused:
            about = self._about(home, s=fields["s"])
            self._here.tell(home.node, "error", error(refused.error), **about)

    def hear_ready(self, fields: Fields, body: bytes) -> None:
        """A home is ready for a session of a client here; ``body``: its ICE servers, if it gave any."""
        home, session = self._home_elsewhere(fields), self._session(fields)
        if home is not None and session is not None and session.state is not SessionState.OPEN:
            self._here.hub.sessions.ready(session, body or None)

    def _home_elsewhere(self, fields: Fields) -> RemoteHome | None:
        home = self._presence.mirror_of(fields["r"])
        return home if home is not None and home.node == fields["node"] else None

    def hear_absent(self, fields: Fields) -> None:
        """A home isn't where it was thought to be."""
        mirror = self._presence.mirror_of(fields["r"])
        if mirror is not None and mirror.is_of(fields["node"], fields["name"]):
            self._presence.lose(mirror)

    def _session(self, fields: Fields) -> Session | None:
        session = self._here.hub.sessions.get(fields["s"])
        return session if session is not None and session.home.remote_id == fields["r"] else None

    def _about(self, mirror: RemoteHome, **fields: object) -> Fields:
        return {"r": mirror.home_id, "node": self._here.node, "name": mirror.name, **fields}

    # From the home's node to the client's

    def forward(self, session: RemoteSession, kind: str, payload: bytes, places: bytes) -> None:
        """As ``elsewhere.Relay`` has it."""
        about = {"r": session.home.remote_id, "node": self._here.node, "s": session.id}
        self._here.tell(session.node, "said", payload, **about, kind=kind, places=list(places))

    def ready(self, session: RemoteSession, ice_servers: bytes | None) -> None:
        """As ``elsewhere.Relay`` has it."""
        about = {"r": session.home.remote_id, "node": self._here.node, "s": session.id}
        self._here.tell(session.node, "ready", ice_servers or b"", **about)

    def crowd_out(self, session: RemoteSession) -> None:
        """A session of a client elsewhere makes way for another."""
        self._heard.pop(session.id, None)
        self._turn_away(session.home, session.id, session.node, 1)

    def _turn_away(self, home: Home, session_id: str, node: str, wait: float) -> None:
        self._crowded_out.add(session_id)
        self._here.clock.callLater(REMEMBERED_END, self._crowded_out.discard, session_id)
        self._here.tell(node, "full", r=home.remote_id, s=session_id, wait=wait)

    def hear_told(self, fields: Fields, body: bytes) -> None:
        """Another node has something to say to a home."""
        home = self._home(fields)
        if home is None:
            return
        assert home.connection is not None
        session_id: str = fields["s"]
        kind: str = fields["kind"]
        if session_id in self._crowded_out:
            # It was under way when its node was told.
            return
        if kind == "client-connected":
            self._announced(home, fields, body)
        elif kind == "client-disconnected":
            home.connection.peer.send(body)
            self.hear_detached(fields)
        elif not home.has_room(len(body)):
            self._here.tell(fields["node"], "busy", r=home.remote_id, s=session_id)
        else:
            session = self._known(home, session_id) or self._attach(home, fields, session_id)
            session.client_sent(kind)
            home.connection.peer.send(body)

    def hear_error(self, fields: Fields, body: bytes) -> None:
        """What a home said in a session could not be delivered."""
        home = self._home(fields)
        if home is not None and home.connection is not None:
            home.connection.peer.send(body)

    def _announced(self, home: Home, fields: Fields, body: bytes) -> None:
        session_id, node = fields["s"], fields["node"]
        if self._known(home, session_id) is None:
            try:
                self._here.hub.sessions.admit_remote(home, session_id, node, fields["k"])
            except Refused as refused:
                self._turn_away(home, session_id, node, refused.error.retry_after or 1)
                return
        # Its node says so again when it has not heard of this one for a while, and a home must not hear it twice.
        assert home.connection is not None
        if self._heard.get(session_id) is not home.connection:
            self._heard[session_id] = home.connection
            home.connection.peer.send(body)

    def _attach(self, home: Home, fields: Fields, session_id: str) -> RemoteSession:
        session = self._here.hub.sessions.attach_remote(home, session_id, fields["node"], fields["k"])
        if fields.get("answered"):
            session.negotiation = Negotiation.ANSWERED
        return session

    def hear_attach(self, fields: Fields) -> None:
        """Another node has these sessions with a home that is here, and no others."""
        home = self._home(fields)
        if home is None:
            return
        listed = {session_id for session_id, *_ in fields["sessions"]}
        for session in self._here.hub.sessions.remote.of(home):
            if session.node == fields["node"] and session.id not in listed:
                self._heard.pop(session.id, None)
                self._here.hub.sessions.remote.detach(home, session.id)
        for session_id, key, offered, answered in fields["sessions"]:
            if session_id in self._crowded_out:
                continue
            session = self._known(home, session_id) or self._attach(home, {**fields, "k": key}, session_id)
            session.negotiation = _heard(offered, answered)

    def hear_detached(self, fields: Fields) -> None:
        """A session with a home here has ended elsewhere."""
        home = self._here.hub.registry.find(fields["r"])
        self._heard.pop(fields["s"], None)
        if home is not None:
            self._here.hub.sessions.remote.detach(home, fields["s"])

    def _known(self, home: Home, session_id: str) -> RemoteSession | None:
        session = self._here.hub.sessions.remote.get(session_id)
        return session if session is not None and session.home is home else None

    def _home(self, fields: Fields) -> Home | None:
        home = self._here.hub.registry.find(fields["r"])
        if home is not None and home.state is HomeState.LOCAL:
            return home
        self._here.tell(fields["node"], "absent", r=fields["r"], node=self._here.node, name=fields["name"])
        return None

    # Losses

    def handed_on(self, home: Home) -> None:
        """A home that was here is elsewhere, where the other nodes turn to, or gone for good."""
        for session in self._here.hub.sessions.remote.of(home):
            self._heard.pop(session.id, None)
        self._here.hub.sessions.remote.forget(home)

    def lose_node(self, node: str, *, goodbye: bool) -> None:
        """A node is gone, and its clients with it; ``goodbye``: it is being restarted, and nobody shall notice."""
        sessions = self._here.hub.sessions
        for home in self._here.hub.registry.homes():
            for session in self._here.hub.sessions.remote.of(home):
                if session.node != node:
                    continue
                if goodbye:
                    self._heard.pop(session.id, None)
                    sessions.remote.detach(home, session.id)
                    continue
                if session.negotiation is Negotiation.ANSWERED:
                    # The home isn't told: should that node live, it must not hear of the session anew.
                    self._here.clock.callLater(REMEMBERED_END, self._forget, home, session.id)
                else:
                    self._heard.pop(session.id, None)
                sessions.remote.client_lost(session)

    def _forget(self, home: Home, session_id: str) -> None:
        if self._known(home, session_id) is None:
            self._heard.pop(session_id, None)


def _told(negotiation: Negotiation) -> tuple[bool, bool]:
    """Whether there was an offer, and an answer, as another node is told."""
    return negotiation is not Negotiation.NOTHING, negotiation is Negotiation.ANSWERED


def _heard(offered: bool, answered: bool) -> Negotiation:
    """What ``_told`` says."""
    if answered:
        return Negotiation.ANSWERED
    return Negotiation.OFFERED if offered else Negotiation.NOTHING
