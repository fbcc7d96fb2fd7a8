"""Leaving politely: everybody hears 1012, whoever waits gets an answer first, and nobody else comes in."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.shutdown import FAREWELL_SECONDS, GOODBYE_TICK, Connections, OneByOne
from tests.heart import FakePeer, World
from tests.wire import UPGRADE, Reply, Server, Socket

HOME, CLIENT, STRANGER = "192.0.2.1", "198.51.100.1", "203.0.113.1"
DISCONNECTED = {"type": "error", "error": "Server disconnected", "code": "server-disconnected"}
RESTARTING = (1012, "Server is restarting")


class HeartTest(SynchronousTestCase):
    """Peers that are closed in a rhythm, and what the others are told meanwhile."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()

    def leave(self, most: int = 1) -> None:
        self.world.hub.say_goodbye(most)

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
        world.hub.say_goodbye(1)
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

    def test_seniority_is_kept(self) -> None:
        self.world.advance(3600)
        self.leave()
        after = World()
        after.hub.restore(self.world.hub.snapshot(0), 0)
        squatter = after.home(text=STRANGER)
        after.connect(HOME).say("register-server", remoteId="HOME")
        assert squatter.closed is not None


class DoorTest(SynchronousTestCase):
    """While the last ones are told, HTTP is answered and WebSockets are refused."""

    def setUp(self) -> None:
        self.server = Server()
        self.home = self.server.connect()
        self.home.say(type="register-server", remoteId="HOME")

    def ask(self, client: Socket, request: bytes) -> Reply:
        client.transport.clear()
        client.send(request)
        return Reply(client.transport.value())

    def get(self, path: bytes) -> Reply:
        return self.ask(self.server.accept(), b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)

    def assert_refused(self, reply: Reply) -> None:
        assert reply.status == 503
        assert reply.headers["retry-after"] == "10"
        assert reply.headers["content-type"] == "application/json"
        assert reply.json == {"error": "Server is restarting", "retryAfter": 10}

    def test_refused_before_the_upgrade(self) -> None:
        accepted, kept = self.server.accept(), self.server.accept()
        self.ask(kept, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.server.hub.say_goodbye(0)
        for client in (self.server.accept(), accepted, kept):
            self.assert_refused(self.ask(client, UPGRADE + b"\r\n"))
            assert client.transport.disconnecting
        assert self.server.counts()["rateLimiter"]["trackedIps"] == 1, "they are charged for nothing"

    def test_http_is_answered(self) -> None:
        assert self.get(b"/ready").json == {"ready": True}
        assert self.get(b"/api/check/HOME").json == {"online": True}
        self.server.hub.say_goodbye(1)
        ready = self.get(b"/ready")
        assert (ready.status, ready.json) == (503, {"ready": False, "reason": "draining"})
        assert self.get(b"/health").json["servers"] == 0
        assert self.get(b"/api/check/HOME").json == {"online": False}


class RhythmTest(SynchronousTestCase):
    """A handful at once, thousands over the time that the settings give."""

    def closed_at_each_tick(self, peers: int, drain_seconds: float) -> list[int]:
        """How many have heard 1012, from the first moment to the last; each peer takes its time to answer."""
        self.server = Server(connections_per_minute=0, connections_per_address=0, drain_seconds=drain_seconds)
        self.peers = [self.server.connect() for _ in range(peers)]
        clock: Any = self.server.clock
        service = Connections(self.server.hub, self.server.factory, self.server.settings, clock)
        self.stopped: list[object] = []
        service.stopService().addCallback(self.stopped.append)
        closed = 0
        counts = []
        while closed < peers:
            closed += sum(peer.close_code() == 1012 for peer in self.peers)
            counts.append(closed)
            assert not self.stopped
            clock.advance(GOODBYE_TICK)
        return counts

    def test_a_handful(self) -> None:
        assert self.closed_at_each_tick(40, 30) == [40]

    def test_hundreds_take_a_moment(self) -> None:
        assert self.closed_at_each_tick(120, 30) == [50, 100, 120]

    def test_thousands_take_no_longer_than_the_settings_say(self) -> None:
        counts = self.closed_at_each_tick(1000, 0.5)
        assert counts == [200, 400, 600, 800, 1000]

    def test_all_at_once(self) -> None:
        assert self.closed_at_each_tick(120, 0) == [120]

    def test_it_waits_for_the_last_one(self) -> None:
        self.closed_at_each_tick(3, 30)
        for peer in self.peers:
            assert not self.stopped
            peer.lose()
        assert self.stopped

    def test_it_does_not_wait_for_ever(self) -> None:
        self.closed_at_each_tick(3, 30)
        self.server.clock.advance(FAREWELL_SECONDS)
        assert self.stopped


class OneByOneTest(SynchronousTestCase):
    """Services stop in an order: the ports are the last thing that a load balancer sees."""

    def test_last_to_first(self) -> None:
        stopped: list[str] = []
        leaving: Deferred[None] = Deferred()

        class Named(Service):
            def stopService(self) -> Deferred[None] | None:
                super().stopService()
                stopped.append(str(self.name))
                if self.name == "slow":
                    return leaving
                if self.name == "broken":
                    raise ValueError("broken")
                return None

        services = OneByOne()
        for name in ("first", "slow", "broken", "last"):
            service = Named()
            service.setName(name)
            service.setServiceParent(services)
        services.startService()
        done: list[None] = []
        services.stopService().addCallback(done.append)
        assert (stopped, done) == (["last", "broken", "slow"], [])
        leaving.callback(None)
        assert stopped[-1] == "first"
        assert done == [None]
        assert len(self.flushLoggedErrors(ValueError)) == 1
