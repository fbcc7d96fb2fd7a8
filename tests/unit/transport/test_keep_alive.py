"""Pings in both layers, and who leaves them unanswered."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.timers import KeepAlive
from tests.support.memory_server import PING, PONG, TEXT, Server, frame


class Failing:
    """Fails when it is to be pinged."""

    slot = 0
    calls = 0

    def keep_alive(self, payload: bytes, frames: bytes) -> None:
        """Fail."""
        self.calls += 1
        raise RuntimeError("a ping")


class KeepAliveTest(SynchronousTestCase):
    """Two kinds of pings, and who counts as dead."""

    def setUp(self) -> None:
        self.server = Server()

    def advance(self, seconds: float) -> None:
        self.server.advance(seconds)

    def test_both_pings(self) -> None:
        client = self.server.connect()
        self.advance(29)
        assert client.frames() == []
        self.advance(1)
        (ping, json_ping) = client.frames()
        assert (ping[0], json_ping) == (PING, (TEXT, b'{"type":"ping"}'))
        assert len(ping[1]) == 4

    def test_both_in_one_write(self) -> None:
        client = self.server.connect()
        written: list[bytes] = []
        client.transport.write = written.append  # type: ignore[method-assign]
        self.advance(30)
        (both,) = written
        assert (both[:2], both[6:8], both[8:]) == (b"\x89\4", b"\x81\x0f", b'{"type":"ping"}')

    def test_answered(self) -> None:
        client = self.server.connect()
        for _ in range(5):
            self.advance(30)
            (_, payload), _ = client.frames()
            client.send(frame(PONG, payload))
        assert not client.transport.aborted

    def test_only_the_pong_that_was_asked_for_counts(self) -> None:
        """Whoever reads nothing can't know its payload."""
        client = self.server.connect()
        self.advance(30)
        for payload in (b"", b"guess"):
            client.send(frame(PONG, payload))
        self.advance(30)
        assert client.transport.aborted

    def test_its_own_pong_counts_however_many_probes_follow(self) -> None:
        """Strangers decide how often a home is probed, and its answers may take longer than a probe lasts."""
        home = self.server.connect()
        self.advance(30)
        (_, payload), _ = home.frames()
        for probe in (b"probe 1", b"probe 2"):
            home.protocol.ping(probe)
        home.send(frame(PONG, payload))
        home.send(frame(PONG, b"probe 1"))
        self.advance(30)
        assert not home.transport.aborted

    def test_only_a_websocket_pong_counts(self) -> None:
        client = self.server.connect()
        self.advance(30)
        client.say(type="pong")
        client.say(type="ping")
        self.advance(29)
        assert not client.transport.aborted
        self.advance(1)
        assert client.transport.aborted

    def test_goes_on_after_an_exception(self) -> None:
        clock: Any = Clock()
        keepalive, failing = KeepAlive(clock, 30, bytes), Failing()
        keepalive.startService()
        keepalive.add(failing)
        clock.pump([1] * 90)
        assert failing.calls == 3
        assert len(self.flushLoggedErrors(RuntimeError)) == 3

    def test_an_exception_keeps_nobody_from_being_pinged(self) -> None:
        clock: Any = Clock()
        keepalive, both = KeepAlive(clock, 30, bytes), [Failing(), Failing()]
        keepalive.startService()
        for each in both:
            keepalive.add(each)
        clock.pump([1] * 30)
        assert [each.calls for each in both] == [1, 1]
        self.flushLoggedErrors(RuntimeError)

    def test_a_jump_of_the_clock_kills_nobody(self) -> None:
        client = self.server.connect()
        self.advance(30)
        self.server.clock.advance(3600)
        assert not client.transport.aborted

    def test_challenge_goes_with_later_pings(self) -> None:
        """A peer may answer only the latest ping (RFC 6455 section 5.5.3), so each carries the challenge."""
        home = self.server.home()
        self.advance(28)
        newcomer = self.server.connect("198.51.100.1")
        newcomer.say(type="register-server", remoteId="HOME")
        ((_, challenge),) = home.frames()
        assert len(challenge) == 8
        self.advance(2)
        assert home.frames() == [(PING, challenge), (TEXT, b'{"type":"ping"}')]
        home.send(frame(PONG, challenge))
        assert newcomer.heard()[0]["code"] == "remote-id-taken"

    def test_answers_to_checks_cost_nothing(self) -> None:
        """However many strangers ask for its Remote ID, a home that answers one check a second keeps it."""
        server = Server(connections_per_minute=0)
        home = server.home()
        for _ in range(25):
            newcomers = [server.connect("198.51.100.1") for _ in range(8)]
            for newcomer in newcomers:
                newcomer.say(type="register-server", remoteId="HOME")
            server.advance(1)
            ((_, challenge),) = home.frames()
            home.send(frame(PONG, challenge))
            assert all(newcomer.heard()[0]["code"] == "remote-id-taken" for newcomer in newcomers)
        assert home.frames() == []

    def test_late_answers_to_checks_cost_nothing(self) -> None:
        """Also when the stranger has left before."""
        server = Server(connections_per_minute=0)
        home = server.home()
        for _ in range(25):
            newcomer = server.connect("198.51.100.1")
            newcomer.say(type="register-server", remoteId="HOME")
            server.advance(1)
            ((_, challenge),) = home.frames()
            newcomer.lose()
            home.send(frame(PONG, challenge))
        assert home.frames() == []
        assert server.counts()["servers"] == 1

    def test_pongs_that_nobody_asked_for_cost(self) -> None:
        client = self.server.connect()
        client.send(frame(PONG) * 500)
        self.advance(55)
        assert client.close_code() == 4029
