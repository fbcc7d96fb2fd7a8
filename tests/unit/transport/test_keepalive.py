"""Pings in both layers, and who leaves them unanswered."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_server import PING, PONG, TEXT, Server, frame


class KeepAliveTest(SynchronousTestCase):
    """Two kinds of pings, and who counts as dead."""

    def setUp(self) -> None:
        self.server = Server()

    def advance(self, seconds: int) -> None:
        self.server.clock.pump([1] * seconds)

    def test_both_pings(self) -> None:
        client = self.server.connect()
        self.advance(29)
        assert client.frames() == []
        self.advance(1)
        assert client.frames() == [(PING, b""), (TEXT, b'{"type":"ping"}')]

    def test_answered(self) -> None:
        client = self.server.connect()
        for _ in range(5):
            self.advance(30)
            client.send(frame(PONG))
        assert not client.transport.aborted

    def test_only_a_websocket_pong_counts(self) -> None:
        client = self.server.connect()
        self.advance(30)
        client.say(type="pong")
        client.say(type="ping")
        self.advance(29)
        assert not client.transport.aborted
        self.advance(1)
        assert client.transport.aborted

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
        """However many strangers ask for its Remote ID, a home that answers keeps it."""
        server = Server(connections_per_minute=0, connections_per_address=0)
        home = server.home()
        for _ in range(200):
            newcomer = server.connect("198.51.100.1")
            newcomer.say(type="register-server", remoteId="HOME")
            ((_, challenge),) = home.frames()
            home.send(frame(PONG, challenge))
            assert newcomer.heard()[0]["code"] == "remote-id-taken"
        assert home.frames() == []

    def test_late_answers_to_checks_cost_nothing(self) -> None:
        """Also when the stranger has left before."""
        server = Server(connections_per_minute=0, connections_per_address=0)
        home = server.home()
        for _ in range(300):
            newcomer = server.connect("198.51.100.1")
            newcomer.say(type="register-server", remoteId="HOME")
            ((_, challenge),) = home.frames()
            newcomer.lose()
            home.send(frame(PONG, challenge))
        assert home.frames() == []
        assert server.counts()["servers"] == 1

    def test_pongs_that_nobody_asked_for_cost(self) -> None:
        client = Server().connect()
        client.send(frame(PONG) * 150)
        assert client.close_code() == 4029
