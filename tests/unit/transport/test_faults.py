"""A fault of this server ends the connection that it happens on, is logged once, and reaches no other."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.protocol import LINGER_SECONDS
from ma_signaling.transport.send_buffer import STALL_SECONDS, SendBuffer
from ma_signaling.transport.timers import TICK_SECONDS
from tests.support.memory_server import CLOSE, PING, PONG, TEXT, UPGRADE, Server, Socket, frame


class Fault(Exception):
    """What nobody foresees."""


class FaultTest(SynchronousTestCase):
    """Exceptions wherever Autobahn, Twisted or a timer calls a connection."""

    def setUp(self) -> None:
        self.server = Server()
        self.other = self.server.home("OTHER")
        self.socket = self.server.connect("192.0.2.2")

    def assert_ends(self, owner: object, name: str, act: Callable[[Socket], object]) -> None:
        """Let ``owner.name`` fail while the test acts on a connection."""
        with mock.patch.object(owner, name, side_effect=Fault):
            act(self.socket)
        assert len(self.flushLoggedErrors(Fault)) == 1
        self.server.advance(LINGER_SECONDS + TICK_SECONDS)
        assert self.socket.transport.disconnecting
        self.socket.lose()
        self.other.send(frame(PONG, b""))
        self.other.say(type="ping")
        assert {"type": "pong"} in self.other.heard()
        assert self.server.counts()["servers"] == 1
        assert self.server.factory.open == 1

    def test_message(self) -> None:
        self.assert_ends(self.server.hub, "received", lambda socket: socket.send(frame(TEXT, b"{}")))

    def test_ping(self) -> None:
        self.assert_ends(self.server.hub, "charge_control_frame", lambda socket: socket.send(frame(PING)))

    def test_pong(self) -> None:
        self.assert_ends(self.server.hub, "pong", lambda socket: socket.send(frame(PONG)))

    def test_close_frame(self) -> None:
        self.assert_ends(self.server.hub, "end", lambda socket: socket.send(frame(CLOSE)))

    def test_pings_of_ours(self) -> None:
        self.assert_ends(self.socket.transport, "write", lambda _: self.server.advance(30))

    def test_pings_of_ours_while_a_probe_is_under_way(self) -> None:
        self.socket.protocol.ping(b"probe")
        self.assert_ends(self.socket.protocol, "sendPing", lambda _: self.server.advance(30))

    def test_deadline(self) -> None:
        def stall(socket: Socket) -> None:
            socket.protocol.pauseProducing()
            self.server.advance(STALL_SECONDS + TICK_SECONDS)

        self.assert_ends(SendBuffer, "has_taken", stall)

    def test_slow_reader(self) -> None:
        self.assert_ends(SendBuffer, "close", _stall_and_recover)

    def test_opening(self) -> None:
        self.socket.lose()
        for fast_path in (True, False):
            self.server.settings.fast_path = fast_path
            self.server.factory.reconfigure()
            self.socket = self.server.accept("192.0.2.2")
            self.assert_ends(self.server.hub, "connected", lambda socket: socket.send(UPGRADE + b"\r\n"))


def _stall_and_recover(socket: Socket) -> None:
    socket.protocol.pauseProducing()
    socket.protocol.resumeProducing()
