"""The fast path does what Autobahn does: the same bytes, cut anywhere, have the same effect on either."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.fast_path import FastPath, with_fast_path
from ma_signaling.transport.protocol import SignalingProtocol
from tests.support.field_requests import FIELD, Recorder
from tests.support.memory_server import CLOSE, PING, PONG, TEXT, UPGRADE, Server, Transport, frame


class OnlyFast(Recorder):
    """Fails where Autobahn would have to read anything."""

    def processHandshake(self) -> None:
        raise AssertionError("Autobahn reads a handshake")

    def processData(self) -> bool:
        raise AssertionError("Autobahn reads a message")


class TakenTest(SynchronousTestCase):
    """What the clients in the field do takes the fast path, unless a setting forbids it."""

    def test_usual_connections(self) -> None:
        for head in FIELD:
            server = Server()
            server.factory.protocol = with_fast_path(OnlyFast, server.factory)
            socket = server.accept()
            socket.send(head)
            self.assertIn(b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", socket.read_head())
            socket.send(frame(TEXT, b'{"type":"ping"}') + frame(PONG) + frame(PING, b"x"))
            socket.send(frame(TEXT, '{"type":"register-server","remoteId":"\u00e4"}'.encode()))
            socket.send(frame(TEXT, b'{"type":"ping","pad":"%b"}' % (b"x" * 40000)))
            self.assertEqual([opcode for opcode, _ in socket.frames()], [TEXT, PONG, TEXT, TEXT])
            socket.send(frame(CLOSE, b"\x03\xe8"))
            self.assertEqual(socket.frames(), [(CLOSE, b"\x03\xe8")])
            self.assertTrue(socket.transport.disconnecting)

    def test_many_messages_in_one_read(self) -> None:
        server = Server()
        server.factory.protocol = with_fast_path(OnlyFast, server.factory)
        socket = server.connect()
        socket.send(frame(TEXT, b'{"type":"ping"}') * 40)
        self.assertEqual(len(socket.heard()), 40)

    def test_setting_turns_it_off(self) -> None:
        self.assertIsInstance(Server().connect().protocol, FastPath)
        self.assertNotIsInstance(Server(fast_path=False).connect().protocol, FastPath)

    def test_connections_share_nothing_that_changes(self) -> None:
        server = Server()
        one, other = server.connect("192.0.2.1"), server.connect("192.0.2.2")
        one.send(frame(TEXT, "\u20ac".encode()[:2], fin=False))
        other.send(frame(TEXT, "\u20ac".encode()[2:], fin=False))
        self.assertEqual((one.close_code(), other.close_code()), (None, 1007))


class AutobahnTest(SynchronousTestCase):
    """What the fast path knows of Autobahn's inside."""

    def test_every_attribute_is_known(self) -> None:
        self.assertTrue(
            issubclass(with_fast_path(SignalingProtocol, Server().factory), FastPath),
            "This Autobahn keeps something new in a connection (the log names it): read what it is for, then give it a"
            " stand-in in ma_signaling/transport/fast_path.py if it can change in place",
        )

    def test_an_attribute_that_is_unknown_turns_the_fast_path_off(self) -> None:
        set_up = WebSocketServerProtocol._connectionMade

        def set_up_more(protocol: Any) -> None:
            set_up(protocol)
            protocol.news = []

        self.patch(WebSocketServerProtocol, "_connectionMade", set_up_more)
        with capturedLogs() as logged:
            self.assertNotIsInstance(Server().connect().protocol, FastPath)
        self.assertIn("an unknown attribute news", str(formatEvent(logged[0])))

    def test_what_is_overridden_or_read_is_there(self) -> None:
        """In Autobahn's own class: ours define some of these as well."""
        names = ["data", "state", "current_frame", "inside_message", "websocket_version", "processData"]
        names += [
            "processHandshake",
            "_connectionMade",
            "_connectionLost",
            "sendData",
            "onCloseFrame",
            "fire",
        ]
        plain = WebSocketServerProtocol()
        plain.factory = Server(fast_path=False).factory
        plain.makeConnection(Transport())
        plain.dataReceived(UPGRADE + b"\r\n")
        for name in names:
            self.assertTrue(
                hasattr(plain, name),
                f"Autobahn has no {name} any more: ma_signaling/transport/fast_path.py relies on it",
            )
