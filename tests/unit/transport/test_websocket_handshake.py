"""What opens a WebSocket, and what is refused before the upgrade."""

from __future__ import annotations

from tests.support.first_request_case import HEALTH, PING, FirstRequestTestCase
from tests.support.memory_server import UPGRADE, Server, frame


class HandshakeTest(FirstRequestTestCase):
    """RFC 6455 section 4.2, on either of the paths that frames take."""

    def test_no_offer_refuses_a_connection(self) -> None:
        offers: tuple[tuple[bytes, ...], ...] = (
            (b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8",),
            (b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99; nonsense",),
            (b'Sec-WebSocket-Extensions: x-unknown; a="b;c", permessage-deflate; client_max_window_bits=x',),
            (b"Sec-WebSocket-Extensions: a", b"Sec-WebSocket-Extensions: b"),
            (b"Sec-WebSocket-Extensions:",),
            (b"Sec-WebSocket-Extensions: ;;,,=",),
            (b"Sec-WebSocket-Protocol: a, a",),
            (b"Sec-WebSocket-Protocol: a", b"Sec-WebSocket-Protocol: a"),
            (b"Sec-WebSocket-Protocol:",),
        )
        for offer in offers:
            self.opens(*offer)

    def test_any_origin_without_an_allow_list(self) -> None:
        for origin in (b"", b"null", b"https://h:99999", b"x", b"\xff", b"http://[", b"https://a/b?c#d"):
            self.opens(b"Origin: " + origin)
        self.opens(b"Origin: https://a", b"Origin: https://b")

    def test_the_same_with_autobahn_reading_the_frames(self) -> None:
        self.server = Server(fast_path=False)
        self.test_no_offer_refuses_a_connection()
        self.test_any_origin_without_an_allow_list()

    def test_field_values_are_lists_of_tokens(self) -> None:
        self.opens(b"Connection: keep-alive , UPGRADE", without=b"Connection")
        self.opens(b"Connection: keep-alive", b"Connection: Upgrade", without=b"Connection")
        self.opens(b"Upgrade: h2c,WebSocket", without=b"Upgrade")

    def test_both_paths(self) -> None:
        for path in (b"/ws", b"/ws/", b"/ws?x=1", b"/ws/?x", b"/%77s", b"http://h/ws", b"WS://h:80/ws/?x"):
            for before in (b"", b"\r\n", HEALTH + b"\r\n"):
                client = self.sent(before + UPGRADE.replace(b"/ws", path) + b"\r\n" + PING)
                client.received = client.transport.value().partition(b"HTTP/1.1 101 ")[2]
                client.transport.clear()
                client.read_head()
                assert client.heard() == [{"type": "pong"}], (before, path)

    def test_an_upgrade_that_announces_content(self) -> None:
        for lines in (
            (b"Content-Length: 21",),
            (b"Transfer-Encoding: chunked",),
            (b"Transfer-Encoding: identity",),
            (b"Transfer-Encoding:",),
            (b"Content-Length: 0", b"Transfer-Encoding: chunked"),
            (b"Content-Length: 0", b"Content-Length: 21"),
            (b"Content-Length: 0, 21",),
            (b"Content-Length: +0",),
            (b"Content-Length:",),
        ):
            self.refused(400, *lines)
        self.opens(b"Content-Length: 0")
        self.opens(b"Content-Length: 000")

    def test_versions(self) -> None:
        empty = (b"Sec-WebSocket-Version: ",)
        for lines in ((), empty, (b"Sec-WebSocket-Version: 8",), (b"Sec-WebSocket-Version: 130",)):
            reply = self.refused(426, *lines, without=b"Sec-WebSocket-Version")
            assert reply.headers["upgrade"] == "websocket"
            assert reply.headers["connection"] == "Upgrade, close"
            assert reply.headers["sec-websocket-version"] == "13"
        for version in (b"+13", b"x", b"13, 8", b"1 3", b"-13", b"13.0"):
            self.refused(400, b"Sec-WebSocket-Version: " + version, without=b"Sec-WebSocket-Version")
        self.refused(400, b"Sec-WebSocket-Version: 13")

    def test_keys(self) -> None:
        for key in (
            b"",
            b"short",
            b"dGhlIHNhbXBsZSBub25jZQ=",
            b"dGhlIHNhbXBsZSBub25jZQ==x",
            b"!GhlIHNhbXBsZSBub25jZQ==",
        ):
            self.refused(400, b"Sec-WebSocket-Key: " + key, without=b"Sec-WebSocket-Key")
        self.refused(400, without=b"Sec-WebSocket-Key")
        self.refused(400, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")

    def test_no_upgrade(self) -> None:
        self.refused(426, without=b"Upgrade")
        self.refused(426, b"Upgrade: h2c", without=b"Upgrade")
        self.refused(426, b"Connection: close", without=b"Connection")

    def test_http_1_0_says_what_the_proxy_must_do(self) -> None:
        for request in (UPGRADE + b"\r\n", b"GET /ws HTTP/1.1\r\n\r\n"):
            reply = self.reply(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert reply.status == 426
            assert "proxy_http_version 1.1" in reply.json["error"]
            assert reply.headers["upgrade"] == "websocket"

    def test_a_bad_handshake_costs_nobody_a_place(self) -> None:
        self.server = Server(silent_connections_per_address=1)
        idle = self.server.connect()
        self.refused(400, without=b"Sec-WebSocket-Key")
        assert idle.close_code() is None

    def test_every_registered_close_code(self) -> None:
        """https://www.iana.org/assignments/websocket: those that may be sent."""
        for fast_path in (True, False):
            server = Server(fast_path=fast_path)
            for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3003, 3008, 4000, 4999):
                client = server.connect()
                client.send(frame(8, code.to_bytes(2)))
                assert client.close_code() in {code, 1000}, code
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000):
                client = server.connect()
                client.send(frame(8, code.to_bytes(2)))
                assert client.close_code() == 1002, code
