"""Connections in memory: the handshake, close codes, goodbyes and bounds, on a fake clock."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.first_request import HEAD_SECONDS
from ma_signaling.transport.protocol import LINGER_SECONDS
from ma_signaling.transport.request_head import HEAD_BYTES
from ma_signaling.transport.timers import TICK_SECONDS
from tests.support.memory_server import BINARY, CLOSE, PING, PONG, TEXT, UPGRADE, Server, Socket, frame


class HandshakeTest(SynchronousTestCase):
    """What comes before the WebSocket is open."""

    def setUp(self) -> None:
        self.server = Server()

    def test_reply(self) -> None:
        """RFC 6455 section 1.3's example; no subprotocol, no extension, no banner."""
        client = self.server.accept()
        client.send(
            UPGRADE + b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        head = client.read_head()
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        for absent in (b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"Server:"):
            assert absent not in head, head

    def test_byte_by_byte(self) -> None:
        client = self.server.accept()
        for byte in UPGRADE + b"\r\n":
            client.send(bytes([byte]))
        assert client.read_head().startswith(b"HTTP/1.1 101 ")

    def test_first_message_together_with_the_handshake(self) -> None:
        client = self.server.accept()
        client.send(UPGRADE + b"\r\n" + frame(TEXT, b'{"type":"ping"}'))
        client.read_head()
        assert client.heard() == [{"type": "pong"}]

    def test_slow_head_is_cut(self) -> None:
        """Defect 22: a socket that never says what it is."""
        client = self.server.accept()
        for _ in range(9):
            client.send(b"GET")
            self.server.advance(HEAD_SECONDS / 10)
        assert not client.transport.aborted
        self.server.advance(HEAD_SECONDS / 10 + TICK_SECONDS)
        assert client.transport.aborted

    def test_endless_head_is_refused(self) -> None:
        client = self.server.accept()
        client.send(b"GET /ws HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES)
        assert client.read_head().startswith(b"HTTP/1.1 431 ")
        assert client.transport.disconnecting

    def test_bad_handshakes(self) -> None:
        cases: list[tuple[bytes, bytes, bytes]] = [
            (b"Version: 13", b"Version: 8", b"426 Upgrade Required"),
            (b"Version: 13", b"Version: x", b"400 Bad Request"),
            (b"dGhl", b"\x80Ghl", b"400 Bad Request"),
            (b"Connection: Upgrade", b"Connection: close", b"426 Upgrade Required"),
        ]
        for good, bad, status in cases:
            client = self.server.accept()
            client.send(UPGRADE.replace(good, bad) + b"\r\n")
            head = client.read_head()
            assert head.startswith(b"HTTP/1.1 " + status), head
            assert "error" in json.loads(client.received)
            assert client.transport.disconnecting

    def test_too_many_from_one_address_are_refused_before_the_upgrade(self) -> None:
        server = Server(connections_per_minute=2)
        server.connect()
        server.connect()
        server.connect("192.0.2.9")
        client = server.accept()
        client.send(UPGRADE + b"\r\n")
        head = client.read_head()
        assert head.startswith(b"HTTP/1.1 429 Too Many Requests")
        assert b"Retry-After: 60" in head
        assert json.loads(client.received) == {"error": "Rate limited", "retryAfter": 60}

    def test_oldest_that_has_said_nothing_makes_way(self) -> None:
        server = Server(silent_connections_per_address=2)
        home = server.home()
        idle = server.connect()
        server.connect()
        assert idle.close_code() is None
        server.connect()
        assert idle.close_code() == 1013
        assert home.close_code() is None


class MessagesTest(SynchronousTestCase):
    """Frames in, frames out."""

    def setUp(self) -> None:
        self.server = Server()

    def test_binary_frame_is_accepted_like_text(self) -> None:
        client = self.server.connect()
        client.send(frame(BINARY, b'{"type":"ping"}'))
        assert client.heard() == [{"type": "pong"}]

    def test_binary_frame_is_forwarded_as_text(self) -> None:
        home = self.server.home()
        client, session = self.server.session(home)
        payload = b'{"type":"answer","sessionId":"%b","data":{"sdp":"x"}}' % session.encode()
        home.send(frame(BINARY, payload))
        assert client.frames() == [(TEXT, payload)]

    def test_fragments_with_a_ping_between(self) -> None:
        client = self.server.connect()
        client.send(frame(TEXT, b'{"type":', fin=False) + frame(PING, b"x") + frame(0, b'"ping"}'))
        assert client.frames() == [(PONG, b"x"), (TEXT, b'{"type":"pong"}')]

    def test_a_bug_closes_its_connection_only(self) -> None:
        other, client = self.server.connect(), self.server.connect()

        def fail(*_: object) -> None:
            raise RuntimeError("for this test")

        self.patch(client.protocol.factory.hub, "received", fail)
        client.say(type="ping")
        assert client.close_code() == 1011
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        assert other.close_code() is None

    def test_a_bug_is_not_the_fault_of_a_client_that_waits(self) -> None:
        self.server.home()
        client = self.server.connect()
        client.say(type="connect-request", remoteId="HOME")

        def fail(*_: object) -> None:
            raise RuntimeError("for this test")

        self.patch(client.protocol.factory.hub, "received", fail)
        client.say(type="ping")
        frames = client.frames()
        assert json.loads(frames[0][1])["error"] == "Server disconnected"
        assert [opcode for opcode, _ in frames] == [TEXT, CLOSE]
        assert frames[1][1][:2] == (1011).to_bytes(2)
        assert len(self.flushLoggedErrors(RuntimeError)) == 1


class CloseCodesTest(SynchronousTestCase):
    """Whatever breaks the rules of RFC 6455 gets the right close code, not a TCP reset."""

    def test_codes(self) -> None:
        cases: list[tuple[str, bytes, int]] = [
            ("message too big", frame(TEXT, b"x" * 65537), 1009),
            ("fragments too big", frame(TEXT, b"x" * 40000, fin=False) + frame(0, b"x" * 40000), 1009),
            ("bad UTF-8", frame(TEXT, b'"\xff"'), 1007),
            ("unmasked", frame(TEXT, b"{}", masked=False), 1002),
            ("reserved bits", frame(TEXT, b"{}", rsv=4), 1002),
            ("reserved opcode", frame(3), 1002),
            ("fragmented ping", frame(PING, fin=False), 1002),
            ("continuation of nothing", frame(0), 1002),
            ("bad close code", frame(CLOSE, b"\x03\xed"), 1002),
        ]
        for name, data, code in cases:
            server = Server()
            client = server.connect()
            client.send(data)
            assert client.close_code() == code, name
            assert not client.transport.aborted, name
            server.advance(LINGER_SECONDS + TICK_SECONDS)
            assert client.transport.aborted, name

    def test_second_fault_does_not_reset_the_answer_to_the_first(self) -> None:
        client = Server().connect()
        faulty = bytes([0xF1, 0x85]) + b"abcdhello"
        client.send(faulty[:2])
        client.send(faulty[2:])
        assert client.close_code() == 1002
        assert not client.transport.disconnecting

    def test_too_big_is_refused_before_it_is_there(self) -> None:
        """Defect 16: the frame's header is enough."""
        client = Server().connect()
        client.send(frame(TEXT, b"x" * 65537)[:14])
        assert client.close_code() == 1009

    def test_waiting_client_gets_an_error_first(self) -> None:
        server = Server()
        server.home()
        client = server.connect("192.0.2.2")
        client.say(type="connect-request", remoteId="HOME")
        client.send(frame(3))
        frames = client.frames()
        assert [opcode for opcode, _ in frames] == [TEXT, CLOSE]
        assert json.loads(frames[0][1])["code"] == "bad-message"


class GoodbyeTest(SynchronousTestCase):
    """A goodbye is a close frame that the peer sent first, with 1000, 1001 or no code; anything else is a break."""

    def outcome(self, farewell: bytes | None) -> list[dict[str, Any]]:
        """What a client hears at once when its home leaves in this way."""
        server = Server()
        home = server.home()
        client, _ = server.session(home)
        if farewell is not None:
            home.send(farewell)
        home.lose()
        assert server.counts()["servers"] == 0
        return client.heard()

    def test_goodbyes(self) -> None:
        for payload in (b"", (1000).to_bytes(2), (1001).to_bytes(2) + b"going away"):
            assert self.outcome(frame(CLOSE, payload)) == [{"type": "peer-disconnected"}], payload

    def test_breaks(self) -> None:
        """Defect 18: a blip must not tear down healthy calls."""
        assert self.outcome(None) == []
        for payload in ((1002).to_bytes(2), (1011).to_bytes(2), (4000).to_bytes(2)):
            assert self.outcome(frame(CLOSE, payload)) == [], payload

    def test_reply_to_a_close_of_ours_is_a_break(self) -> None:
        assert self.outcome(frame(3) + frame(CLOSE, (1000).to_bytes(2))) == []

    def test_close_frame_counts_without_the_end_of_tcp(self) -> None:
        server = Server()
        home = server.home()
        client, _ = server.session(home)
        home.send(frame(CLOSE))
        assert client.heard() == [{"type": "peer-disconnected"}]
        server.advance(LINGER_SECONDS + TICK_SECONDS)
        assert home.transport.aborted


class HalfCloseTest(SynchronousTestCase):
    """A peer that says by TCP that it will send no more."""

    def setUp(self) -> None:
        self.server = Server()
        self.home = self.server.home()

    def half_close(self, peer: Socket) -> None:
        """End what a peer sends while more waits for it than it reads."""
        peer.protocol.pauseProducing()
        peer.protocol.readConnectionLost()
        assert peer.transport.disconnecting
        assert not peer.transport.aborted

    def test_who_reads_nothing_is_cut(self) -> None:
        client, _ = self.server.session(self.home)
        for peer in (client, self.home):
            self.half_close(peer)
            self.server.advance(LINGER_SECONDS + TICK_SECONDS)
            assert peer.transport.aborted

    def test_who_reads_all_gets_the_end(self) -> None:
        """Twisted closes once nothing waits, unless it has a producer to ask for more."""
        self.half_close(self.home)
        assert self.home.transport.producer is None

    def test_waiting_client_gets_an_error_first(self) -> None:
        client = self.server.connect()
        client.say(type="connect-request", remoteId="HOME")
        client.protocol.readConnectionLost()
        assert [message["code"] for message in client.heard()] == ["server-disconnected"]
