"""Leaving politely: everybody hears 1012, whoever waits gets an answer first, and nobody else comes in."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.shutdown import BATCH_SECONDS, CLOSING_SECONDS, Connections, OneByOne
from tests.support.memory_server import UPGRADE, Reply, Server, Socket

HOME, CLIENT, STRANGER = "192.0.2.1", "198.51.100.1", "203.0.113.1"


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
        self.server.hub.drain(0)
        for client in (self.server.accept(), accepted, kept):
            self.assert_refused(self.ask(client, UPGRADE + b"\r\n"))
            assert client.transport.disconnecting
        assert self.server.counts()["rateLimiter"]["trackedIps"] == 1, "they are charged for nothing"

    def test_http_is_answered(self) -> None:
        assert self.get(b"/ready").json == {"ready": True}
        assert self.get(b"/api/check/HOME").json == {"online": True}
        self.server.hub.drain(1)
        ready = self.get(b"/ready")
        assert (ready.status, ready.json) == (503, {"ready": False, "reason": "draining"})
        assert self.get(b"/health").json["servers"] == 0
        assert self.get(b"/api/check/HOME").json == {"online": False}


class RhythmTest(SynchronousTestCase):
    """A handful at once, thousands over the time that the settings give."""

    def closed_at_each_tick(self, peers: int, drain_seconds: float) -> list[int]:
        """How many have heard 1012, from the first moment to the last; each peer takes its time to answer."""
        self.server = Server(
            connections_per_minute=0,
            sockets_per_minute=0,
            silent_connections_per_address=0,
            drain_seconds=drain_seconds,
        )
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
            clock.advance(BATCH_SECONDS)
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
        self.server.clock.advance(CLOSING_SECONDS)
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
