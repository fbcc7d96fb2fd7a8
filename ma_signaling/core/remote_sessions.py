"""Sessions of this node's homes with clients of other nodes, which lead those sessions."""

from __future__ import annotations

from ma_signaling.config.settings import Settings
from ma_signaling.core.home import Home
from ma_signaling.core.other_nodes import Relay
from ma_signaling.core.peer import Clock
from ma_signaling.core.session import Negotiation, RemoteSession, session_allowance
from ma_signaling.core.session_table import EndedSessions, SessionTable
from ma_signaling.core.token_bucket import Budget


class RemoteSessions(SessionTable[RemoteSession]):
    """The sessions with clients of other nodes, while their homes are connected to this node."""

    def __init__(self, settings: Settings, clock: Clock, ended: EndedSessions, relay: Relay) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._ended = ended
        self._relay = relay

    def attach(self, home: Home, session_id: str, node: str, key: str) -> RemoteSession:
        """Add a session of ``home`` with a client of ``node`` at the address ``key``, and return it."""
        self._ended.discard(session_id)
        known = self.get(session_id)
        if known is not None:
            self.remove(known)
        now = self._clock.seconds()
        from_home = Budget(session_allowance(self._settings), now)
        session = RemoteSession(session_id, home, node, key, from_home, now)
        self.add(session)
        return session

    def detach(self, home: Home, session_id: str) -> None:
        """Remove a session that has ended, if it is known, without a message to its home."""
        session = self.get(session_id)
        if session is not None and session.home is home:
            self.remove(session)
            home.session_ended(session_id)
            self._ended.add(session_id, home.remote_id)

    def crowd_out(self, session: RemoteSession) -> None:
        """Evict a session for another one of its home; a call that is probably up goes on."""
        self._relay.crowd_out(session)
        if session.negotiation is not Negotiation.ANSWERED:
            session.home.client_left(session.id)
        self.detach(session.home, session.id)

    def client_lost(self, session: RemoteSession) -> None:
        """End a session whose client's node is gone, as if the client's connection had broken."""
        self.detach(session.home, session.id)
        if session.negotiation is not Negotiation.ANSWERED:
            session.home.client_left(session.id)

    def forget(self, home: Home) -> None:
        """Forget the sessions of a home that is no longer connected to this node."""
        for session in self.of(home):
            self.remove(session)
