"""Connections in memory: the handshake, close codes, goodbyes, keep-alive and bounds, on a fake clock."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.websocket import HEAD_BYTES, HEAD_SECONDS, LINGER_SECONDS, STALL_SECONDS
from tests.wire import BINARY, CLOSE, PING, PONG, TEXT, UPGRADE, Server, Socket, frame


def registered(server: Server, remote_id: str = "HOME", host: str = "192.0.2.1") -> Socket:
    """A home that is connected."""
    home = server.connect(host)
    home.say(type="register-server", remoteId=remote_id)
    assert home.heard() == [{"type": "registered", "remoteId": remote_id}]
    return home


def opened(server: Server, home: Socket, host: str = "192.0.2.2") -> tuple[Socket, str]:
    """A client with an open session, and that session's ID."""
    client = server.connect(host)
    client.say(type="connect-request", remoteId="HOME")
    (announced,) = home.heard()
    home.say(type="session-ready", sessionId=announced["sessionId"])
    assert client.heard()[0]["type"] == "connected"
    return client, announced["sessionId"]


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
            self.server.clock.advance(HEAD_SECONDS / 10)
        assert not client.transport.aborted
        self.server.clock.advance(HEAD_SECONDS / 10)
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
            (b"Connection: Upgrade", b"Connection: close", b"400 Bad Request"),
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

    def test_oldest_without_a_role_makes_way(self) -> None:
        server = Server(connections_per_address=3)
        home = registered(server)
        idle = server.connect()
        server.connect()
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
        home = registered(self.server)
        client, session = opened(self.server, home)
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
            server.clock.advance(LINGER_SECONDS)
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
        registered(server)
        client = server.connect("192.0.2.2")
        client.say(type="connect-request", remoteId="HOME")
        client.send(frame(3))
        frames = client.frames()
        assert [opcode for opcode, _ in frames] == [TEXT, CLOSE]
        assert json.loads(frames[0][1])["code"] == "bad-message"

    def test_replaced(self) -> None:
        server = Server()
        old = registered(server)
        registered(server)
        assert old.frames() == [(CLOSE, (4000).to_bytes(2) + b"Replaced by new connection")]
        old.send(frame(CLOSE, (4000).to_bytes(2)))
        assert old.transport.disconnecting
        old.lose(clean=True)
        assert server.counts()["servers"] == 1


class GoodbyeTest(SynchronousTestCase):
    """A goodbye is a close frame that the peer sent first, with 1000, 1001 or no code; anything else is a break."""

    def outcome(self, farewell: bytes | None) -> list[dict[str, Any]]:
        """What a client hears at once when its home leaves in this way."""
        server = Server()
        home = registered(server)
        client, _ = opened(server, home)
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
        home = registered(server)
        client, _ = opened(server, home)
        home.send(frame(CLOSE))
        assert client.heard() == [{"type": "peer-disconnected"}]
        server.clock.advance(LINGER_SECONDS)
        assert home.transport.aborted


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
        home = registered(self.server)
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
        home = registered(server)
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
        home = registered(server)
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


class BackPressureTest(SynchronousTestCase):
    """A peer that does not read."""

    def setUp(self) -> None:
        self.server = Server(send_buffer_bytes=200_000)
        self.home = registered(self.server)
        self.client, self.session = opened(self.server, self.home)
        self.candidate = {"type": "ice-candidate", "data": "x" * 10_000}

    def test_past_half_its_senders_are_told(self) -> None:
        self.home.protocol.pauseProducing()
        for _ in range(5):
            self.client.say(**self.candidate)
        assert [message["code"] for message in self.client.heard()] == ["home-busy"]
        assert len(self.home.heard()) == 4
        self.home.protocol.resumeProducing()
        self.client.say(**self.candidate)
        assert self.client.heard() == []

    def test_who_fills_the_buffer_is_cut(self) -> None:
        self.client.protocol.pauseProducing()
        self.client.protocol.send(b"x" * 130_000)
        assert not self.client.transport.aborted
        self.client.protocol.send(b"x" * 10_000)
        assert self.client.transport.aborted

    def test_who_takes_nothing_is_cut(self) -> None:
        self.client.protocol.pauseProducing()
        self.server.clock.advance(STALL_SECONDS)
        assert self.client.transport.aborted

    def test_who_takes_a_little_is_not(self) -> None:
        transport = self.client.transport
        transport.dataBuffer, transport.offset, transport._tempDataLen = b"x" * 150_000, 0, 0
        self.client.protocol.pauseProducing()
        for _ in range(5):
            transport.offset += 10_000
            self.server.clock.advance(STALL_SECONDS)
            self.client.protocol.send(b"x" * 5000)
            transport._tempDataLen += 5004
        assert not transport.aborted
        self.server.clock.advance(STALL_SECONDS)
        assert transport.aborted

    def test_who_takes_it_in_time_is_not(self) -> None:
        self.client.protocol.pauseProducing()
        self.server.clock.advance(STALL_SECONDS - 1)
        self.client.protocol.resumeProducing()
        self.server.clock.advance(STALL_SECONDS)
        assert not self.client.transport.aborted
