"""Leaving politely: everybody hears 1012, whoever waits gets an answer first, and nobody else comes in."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event
from tests.support.memory_hub import FakePeer, World

HOME, CLIENT, STRANGER = "192.0.2.1", "198.51.100.1", "203.0.113.1"
DISCONNECTED = {"type": "error", "error": "Server disconnected", "code": "server-disconnected"}
RESTARTING = (1012, "Server is restarting")


class HeartTest(SynchronousTestCase):
    """Peers that are closed in a rhythm, and what the others are told meanwhile."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()

    def leave(self, most: int = 1) -> None:
        self.world.hub.drain(most)

    def assert_answered(self, client: FakePeer) -> None:
        assert client.forget() == [DISCONNECTED]
        assert client.closed is None

    def test_who_waits_is_answered_at_once(self) -> None:
        """Neither its own turn nor the time after which old homes count as ready decides when."""
        waiting = self.world.client()
        self.home.forget()
        self.leave()
        self.assert_answered(waiting)
        self.world.advance(60)
        assert (self.home.heard, waiting.heard) == ([], [])

    def test_no_line_for_each(self) -> None:
        """The log says that the server stops; thousands of closes that follow tell nothing more."""
        self.world.client()
        self.leave(10)
        assert self.home.closed is not None
        assert Event.PEER_CLOSED not in self.world.reported()

    def test_who_is_parked_is_answered_at_once(self) -> None:
        parked = self.world.client()
        self.home.breaks()
        self.leave(0)
        self.assert_answered(parked)
        self.world.advance(60)
        assert parked.heard == []

    def test_no_session_begins(self) -> None:
        """Neither with a home that has been closed nor with one that has not: its turn may come in between."""
        self.world.home("OTHER")
        client = self.world.connect(CLIENT)
        self.leave()
        assert self.home.closed == RESTARTING
        for remote_id in ("HOME", "OTHER", "HOME"):
            client.say("connect-request", remoteId=remote_id)
            self.assert_answered(client)
        self.world.advance(60)
        assert client.heard == []
        assert self.world.hub.limits.counts()["failedLookupTracked"] == 0

    def test_a_home_that_was_closed_is_offline(self) -> None:
        assert self.world.is_online(self.home.connection.address, "HOME")
        self.leave()
        assert not self.world.is_online(self.home.connection.address, "HOME")
        assert self.world.hub.counts()["servers"] == 0

    def test_calls_live_on(self) -> None:
        """Whoever goes first, and whatever the other still says or however it leaves."""
        other = self.world.home("OTHER")
        pairs = [(self.home, self.world.client()), (other, self.world.client("OTHER"))]
        sessions = [self.world.session(*pair) for pair in pairs]
        self.leave(0)
        for (home, client), session in zip(pairs, sessions, strict=True):
            client.say("ice-candidate", data=1)
            home.say("ice-candidate", sessionId=session, data=2)
            assert home.forget()[0]["data"] == 1
            assert client.forget()[0]["data"] == 2
        self.leave(3)
        (_, early), (_, late) = pairs
        assert (early.closed, late.closed) == (RESTARTING, None)
        late.say("ice-candidate", data=3)
        for peer in (self.home, other, early):
            peer.breaks()
        self.world.advance(60)
        self.leave()
        assert late.closed == RESTARTING
        assert [peer.heard for pair in pairs for peer in pair] == [[], [], [], []]

    def test_what_a_home_says_to_a_client_that_went_first(self) -> None:
        """It is lost, as it would be on any closed connection; no error says that the client is gone."""
        world = World()
        client = world.connect(CLIENT)
        home = world.home()
        client.say("connect-request", remoteId="HOME")
        session = world.session(home, client)
        world.hub.drain(1)
        assert (client.closed, home.closed) == (RESTARTING, None)
        home.say("ice-candidate", sessionId=session, data=1)
        home.say("session-ready", sessionId=session)
        assert home.heard == []
        assert world.hub.counts()["clients"] == 0

    def test_nobody_registers(self) -> None:
        """Neither who comes now nor who waits for a verdict: it would be for nothing, and they try again."""
        late, waiting = self.world.connect(STRANGER), self.world.connect(STRANGER)
        waiting.say("register-server", remoteId="HOME")
        self.leave(0)
        late.say("register-server", remoteId="LATE")
        self.world.advance(60)
        assert (late.closed, waiting.closed, self.home.closed) == (RESTARTING, RESTARTING, None)
        assert (late.heard, waiting.heard) == ([], [])

    def test_a_home_that_was_lost_may_come_back_after_the_restart(self) -> None:
        """Its clients hear of no end, however long this takes: whoever is away is kept out by this server itself."""
        other = self.world.home("OTHER")
        clients = [self.world.client(), self.world.client("OTHER")]
        self.world.session(self.home, clients[0])
        self.world.session(other, clients[1])
        self.home.breaks()
        self.world.advance(44)
        self.leave(0)
        other.breaks()
        self.world.advance(3600)
        assert [client.heard for client in clients] == [[], []]
