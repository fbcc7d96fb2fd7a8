"""/ready: whether newcomers are welcome, and how late the event loop is."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.monitoring.readiness import (
    MAX_LAG_SECONDS,
    MEASURE_SECONDS,
    WINDOW_SECONDS,
    LoopLag,
    Readiness,
)
from tests.support.memory_server import Reply, Server


class ReadinessTest(SynchronousTestCase):
    """The list of checks."""

    def test_the_first_that_fails_is_the_reason(self) -> None:
        readiness = Readiness()
        assert readiness.obstacle() is None
        fine = {"one", "two"}
        readiness.add("one", lambda: "one" in fine)
        readiness.add("two", lambda: "two" in fine)
        assert readiness.obstacle() is None
        fine.remove("two")
        assert readiness.obstacle() == "two"
        fine.remove("one")
        assert readiness.obstacle() == "one"


class PageTest(SynchronousTestCase):
    """What is answered."""

    def setUp(self) -> None:
        self.server = Server(max_connections=5)

    def ask(self, method: str = "GET") -> Reply:
        client = self.server.accept()
        client.send(f"{method} /ready HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        reply = Reply(client.transport.value())
        client.lose(clean=True)
        return reply

    def test_ready(self) -> None:
        reply = self.ask()
        assert (reply.status, reply.json) == (200, {"ready": True})
        assert reply.headers["content-type"] == "application/json"

    def test_not_ready(self) -> None:
        self.server.readiness.add("cluster", lambda: False)
        reply = self.ask()
        assert reply.status_line == "HTTP/1.1 503 Service Unavailable"
        assert reply.json == {"ready": False, "reason": "cluster"}

    def test_head(self) -> None:
        for expected in (200, 503):
            get, head = self.ask(), self.ask("HEAD")
            assert head.status == get.status == expected
            assert head.headers["content-length"] == str(len(get.body))
            assert head.body == b""
            self.server.readiness.add("cluster", lambda: False)

    def test_never_limited(self) -> None:
        assert all(self.ask().status == 200 for _ in range(300))

    def test_full(self) -> None:
        """The socket that asks counts as well: there must be room for one more."""
        peers = [self.server.connect(f"198.51.100.{number}") for number in range(3)]
        assert self.ask().status == 200
        peers.append(self.server.connect("198.51.100.9"))
        reply = self.ask()
        assert (reply.status, reply.json) == (503, {"ready": False, "reason": "full"})
        peers.pop().lose()
        assert self.ask().status == 200

    def test_who_makes_way_for_newcomers(self) -> None:
        """What one address holds makes nothing full."""
        for hosts, status in ((["198.51.100.1"] * 17, 200), ([f"198.51.100.{n}" for n in range(17)], 503)):
            server = Server(max_connections=20)
            for host in hosts:
                server.connect(host)
            asking = server.accept()
            asking.send(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
            assert Reply(asking.transport.value()).status == status
            newcomer = server.accept("203.0.113.1")
            assert newcomer.transport.disconnecting == (status == 503)


class LoopLagTest(SynchronousTestCase):
    """A clock that jumps over the time of a look, as a busy loop does."""

    def setUp(self) -> None:
        self.clock = Clock()
        reactor: Any = self.clock
        self.lag = LoopLag(reactor)
        self.lag.startService()

    def look(self, late: float = 0.0) -> None:
        self.clock.advance(MEASURE_SECONDS + late)

    def test_in_time(self) -> None:
        self.look()
        assert (self.lag.latest, self.lag.is_small) == (0, True)

    def test_late(self) -> None:
        self.look(MAX_LAG_SECONDS)
        assert self.lag.is_small
        self.look(2.5)
        assert (self.lag.latest, self.lag.is_small) == (2.5, False)
        self.look()
        assert (self.lag.latest, self.lag.is_small) == (0, True)

    def test_highest_of_a_minute(self) -> None:
        """Whoever asks takes nothing from anybody else."""
        assert self.lag.highest == 0.0
        for late in (0.5, 3.0, 0.25):
            self.look(late)
        for _ in range(round(WINDOW_SECONDS / MEASURE_SECONDS) - 2):
            assert self.lag.highest == 3.0
            self.look()
        assert self.lag.highest == 3.0
        self.look()
        assert self.lag.highest == 0.25
        self.look()
        assert self.lag.highest == 0.0

    def test_a_clock_that_is_set_back(self) -> None:
        self.clock.rightNow -= 100
        self.look(100)
        assert self.lag.latest == 0

    def test_it_stops(self) -> None:
        self.look()
        self.lag.stopService()
        assert not self.clock.getDelayedCalls()
