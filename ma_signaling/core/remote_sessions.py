"""Sessions of homes of this node with clients of other nodes, which lead them."""

from __future__ import annotations

from ma_signaling.core.home import Home
from ma_signaling.core.session import Negotiation, RemoteSession
from ma_signaling.core.session_table import EndedSessions, SessionTable


class RemoteSessions(SessionTable[RemoteSession]):
    """What this node knows of them, while their homes are connected to it."""

    def __init__(self, ended: EndedSessions) -> None:
        super().__init__()
        self._ended = ended

    def attach(self, session: RemoteSession) -> None:
        """Begin to know of a session."""
        self._ended.discard(session.id)
        known = self.get(session.id)
        if known is not None:
            self.remove(known)
        self.add(session)

    def detach(self, home: Home, session_id: str) -> None:
        """A session has ended, if it was known; its home may have been told."""
        session = self.get(session_id)
        if session is not None and session.home is home:
            self.remove(session)
            self._ended.add(session_id, home.remote_id)

    def client_lost(self, session: RemoteSession) -> None:
        """The node of a session's client is gone: do as if the client's connection had broken."""
        self.detach(session.home, session.id)
        if session.negotiation is not Negotiation.ANSWERED:
            session.home.client_left(session.id)

    def forget(self, home: Home) -> None:
        """Forget the sessions of a home: it isn't connected to this node any more."""
        for session in self.of(home):
            self.remove(session)
