"""What strangers can make this server hold or do: bounded, and existing connections never suffer."""

from __future__ import annotations

from unittest import mock

import orjson
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.reading import MAX_STEPS
from tests.support.memory_server import BINARY, PING, PONG, TEXT, UPGRADE, Server, frame


class SocketsTest(SynchronousTestCase):
    """How many sockets, in all and by neighbour."""

    def test_at_the_limit_new_ones_get_503(self) -> None:
        """Defect 1: what a refused socket still sends harms nobody."""
        server = Server(max_connections=2)
        first = server.connect("192.0.2.1")
        idle = server.accept("192.0.2.2")
        late = server.accept("192.0.2.3")
        assert late.read_head().startswith(b"HTTP/1.1 503 Service Unavailable")
        assert late.transport.disconnecting
        late.send(UPGRADE + b"\r\n" + frame(3, b"\xff" * 200, masked=False))
        late.lose()
        first.say(type="ping")
        assert first.heard() == [{"type": "pong"}]
        idle.lose()
        server.connect("192.0.2.3")

    def test_http_connections_count_too(self) -> None:
        server = Server(max_connections=1)
        client = server.accept()
        client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert server.accept().read_head().startswith(b"HTTP/1.1 503 ")
        client.send(UPGRADE + b"\r\n")
        assert server.hub.capacity.open == 2
        client.lose()
        assert server.hub.capacity.open == 1

    def test_sockets_that_never_say_what_they_are(self) -> None:
        """Defect 22: one address can't take every place, and another is not refused for it."""
        server = Server(max_connections=10)
        silent = [server.accept("192.0.2.1") for _ in range(9)]
        refused = server.accept("192.0.2.1")
        assert refused.transport.value().startswith(b"HTTP/1.1 503 ")
        assert refused.transport.disconnecting
        refused.lose()
        server.connect("192.0.2.2")
        assert [client.transport.aborted for client in silent] == [False] * 8 + [True]

    def test_no_room_for_answers(self) -> None:
        """What is kept free for homes that return is not taken by those who wait for their refusal."""
        server = Server(max_connections=40)
        for number in range(36):
            server.connect(f"192.0.2.{number}")
        refused = [server.accept(f"198.51.100.{number}") for number in range(4)]
        assert [client.transport.value()[:13] for client in refused] == [b"HTTP/1.1 503 "] * 2 + [b""] * 2
        assert [client.transport.aborted for client in refused] == [False, False, True, True]

    def test_too_many_in_a_minute_get_no_answer(self) -> None:
        server = Server(sockets_per_minute=3)
        for _ in range(3):
            server.accept("192.0.2.1").lose()
        refused = server.accept("192.0.2.1")
        assert refused.transport.aborted
        assert not refused.transport.value()
        server.connect("192.0.2.2")

    def test_a_trusted_proxy_speaks_for_many(self) -> None:
        server = Server(sockets_per_minute=3, max_connections=50)
        for number in range(20):
            server.accept("127.0.0.1")
            server.connect("127.0.0.1", b"X-Forwarded-For: 198.51.100.%d\r\n" % number)

    def test_shares_behind_a_trusted_proxy(self) -> None:
        """A request that fails its handshake takes no place of anybody's."""
        server = Server(max_connections=20)
        crowd = [server.connect("127.0.0.1", b"X-Forwarded-For: 192.0.2.1\r\n") for _ in range(18)]
        late = server.accept("127.0.0.1")
        late.send(UPGRADE + b"X-Forwarded-For: 192.0.2.1\r\n\r\n")
        assert late.read_head().startswith(b"HTTP/1.1 503 ")
        late.lose()
        bad = server.accept("127.0.0.1")
        bad.send(UPGRADE.replace(b"Version: 13", b"Version: 12") + b"X-Forwarded-For: 192.0.2.2\r\n\r\n")
        bad.lose()
        assert [client.close_code() for client in crowd] == [None] * 18
        server.connect("127.0.0.1", b"X-Forwarded-For: 192.0.2.2\r\n")
        assert [client.close_code() for client in crowd] == [None] * 17 + [1013]

    def test_a_home_that_is_expected_back_opens_no_door_for_others(self) -> None:
        """Its address gets a few places more, which are shared as well: there is always one to knock at."""
        server = Server(max_connections=40)
        home = server.home()
        crowd = [server.connect("192.0.2.1") for _ in range(35)]
        home.lose()
        crowd.append(server.connect("192.0.2.1"))
        for number in range(10):
            late = server.accept("192.0.2.1")
            assert late.transport.aborted == (number >= 2)
            if number >= 2:
                late.lose()
        assert server.hub.capacity.of("192.0.2.1") == 38
        server.connect("192.0.2.2")

    def test_all_places_are_given_back(self) -> None:
        server = Server()
        for farewell in ("websocket", "http", "head", "upgraded"):
            client = server.accept("192.0.2.1")
            if farewell in ("http", "upgraded"):
                client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            if farewell in ("websocket", "upgraded"):
                client.send(UPGRADE + b"\r\n")
            client.lose()
        assert server.hub.capacity.open == 0
        assert server.hub.capacity.of("192.0.2.1") == 0


class FramesTest(SynchronousTestCase):
    """Frames that cost more than they are worth."""

    def setUp(self) -> None:
        self.server = Server()
        self.client = self.server.connect()

    def test_a_turn_takes_a_share(self) -> None:
        """However much one read brings; the rest follows in later turns, with others in between."""
        transport = self.client.transport
        for opcode in (BINARY, TEXT, 0):
            # Of binary frames and fragments Autobahn takes care.
            first = frame(TEXT, b"x", fin=False) if opcode == 0 else b""
            with (
                mock.patch.object(self.server.hub, "received") as taken,
                mock.patch.object(self.server.hub, "received_some", return_value=1) as taken_first,
                mock.patch.object(self.server.hub, "charge_control_frame") as charged,
            ):
                calls = (taken, taken_first, charged)
                transport.protocol.dataReceived(first + frame(opcode, b"x", fin=opcode != 0) * 1000)
                count = sum(each.call_count for each in calls)
                assert 0 < count <= MAX_STEPS
                assert transport.producerState == "paused"
                self.server.clock.advance(0)
                self.client.settle()
                assert sum(each.call_count for each in calls) == 1000
                assert transport.producerState == "producing"

    def test_one_byte_fragments(self) -> None:
        """A megabyte of them: each costs as much as a ping, and beyond the budget they stay unread."""
        self.client.send(frame(TEXT, b"x", fin=False) + frame(0, b"x", fin=False) * 150_000)
        assert self.client.transport.producerState == "paused"
        (error,) = self.client.heard()
        assert error["code"] == "rate-limited"
        self.server.advance(55)
        assert self.client.close_code() == 4029

    def test_a_few_fragments(self) -> None:
        for part in (b'{"type":', *[b" "] * 40):
            self.client.send(frame(TEXT if part.strip() else 0, part, fin=False))
        self.client.send(frame(0, b'"ping"}'))
        assert self.client.heard() == [{"type": "pong"}]

    def test_flood_of_websocket_pings(self) -> None:
        """Defect 15."""
        self.client.send(frame(PING, b"x") * 51)
        frames = self.client.frames()
        assert frames.count((PONG, b"x")) == 50
        assert self.client.transport.producerState == "paused"
        self.client.settle()
        assert self.client.transport.producerState == "producing"
        assert self.client.frames() == []
        self.client.send(frame(PING, b"x") * 500)
        self.server.advance(55)
        assert self.client.close_code() == 4029

    def test_a_home_is_read_on_beyond_the_budget_of_a_session(self) -> None:
        """Its other sessions don't wait for that one, but for its share of some turns."""
        home = self.server.home()
        sessions = [self.server.session(home) for _ in range(2)]
        flood, last = (
            frame(TEXT, orjson.dumps({"type": "ice-candidate", "sessionId": session_id, "data": 1}))
            for _, session_id in sessions
        )
        home.transport.protocol.dataReceived(flood * 5000 + last)
        for _ in range(5000 // MAX_STEPS + 1):
            self.server.clock.advance(0)
        assert [len(client.heard()) for client, _ in sessions] == [199, 1]
        assert home.transport.producerState == "producing"

    def test_beyond_the_budget_pongs_are_found(self) -> None:
        """Whoever sends more than it may is read slowly; what it has answered is read before it is judged."""
        home = self.server.home()
        self.server.advance(30)
        (_, payload), _ = home.frames()
        home.send(frame(PING) * 300 + frame(PONG, payload))
        self.server.advance(35)
        assert home.protocol.is_put_off, "it was read to the end before its ping was overdue"
        assert not home.transport.aborted
        self.server.advance(20)
        assert not home.protocol.is_put_off
        assert not home.transport.aborted or not home.protocol.is_put_off
        assert home.protocol.state == home.protocol.STATE_OPEN

    def test_flood_after_a_close_is_not_looked_at(self) -> None:
        self.client.send(frame(3) + frame(PONG) * 100_000)
        assert self.client.close_code() == 1002
        assert self.client.protocol.data == b""


class OriginsTest(SynchronousTestCase):
    """Browsers say which page they act for."""

    def test_allowed_origins(self) -> None:
        server = Server(allowed_origins=("https://app.example.org",))

        def status(headers: bytes) -> bytes:
            client = server.accept()
            client.send(UPGRADE + headers + b"\r\n")
            return bytes(client.read_head()[9:12])

        assert status(b"") == b"101"
        assert status(b"Origin: https://APP.example.org\r\n") == b"101"
        assert status(b"Origin: https://evil.example.org\r\n") == b"403"
        assert status(b"Origin: null\r\n") == b"403"

    def test_all_are_by_default(self) -> None:
        Server().connect(headers=b"Origin: null\r\n")
