"""A connection that the HTTP server has: requests that are odd, slow or endless, and one for a WebSocket."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.http.channel import MAX_REQUESTS
from tests.support.memory_server import UPGRADE, Server


class HttpTest(SynchronousTestCase):
    """A connection that has carried a request already."""

    def setUp(self) -> None:
        self.server = Server()
        self.client = self.server.accept()
        self.client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.client.transport.clear()

    def replies(self, *parts: bytes) -> bytes:
        for part in parts:
            self.client.send(part)
        value: bytes = self.client.transport.value()
        return value

    def test_slow_heads_are_cut(self) -> None:
        for byte in b"GET /h":
            self.client.send(bytes([byte]))
            self.server.advance(5)
        self.server.advance(1)
        assert self.client.transport.disconnecting

    def test_endless_heads(self) -> None:
        for head in (b"GET /" + b"x" * 20_000, b"GET / HTTP/1.1\r\n" + (b"X: " + b"y" * 100 + b"\r\n") * 200):
            client = self.server.accept()
            client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            client.transport.clear()
            client.send(head)
            assert client.transport.value().startswith(b"HTTP/1.1 431 "), head[:20]
            assert client.transport.disconnecting

    def test_pipelining_without_reading(self) -> None:
        self.client.transport.protocol.pauseProducing()
        self.client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        assert self.client.transport.value().count(b"HTTP/1.1 200") == 1
        assert self.client.transport.disconnecting
        self.server.clock.advance(60)
        assert self.client.transport.aborted

    def test_bodies_are_refused(self) -> None:
        for field in (
            b"Content-Length: 5\r\n\r\nhello",
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ):
            client = self.server.accept()
            client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n" + field)
            assert client.transport.value().startswith(b"HTTP/1.1 413 "), field
            assert b'"error"' in client.transport.value()
            assert client.transport.disconnecting
            client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.transport.value().count(b"HTTP/1.1") == 1

    def test_bad_requests(self) -> None:
        assert self.replies(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\nAccess-Control")

    def test_absolute_form(self) -> None:
        """RFC 9112 section 3.2.2."""
        reply = self.replies(b"GET http://example.org/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert reply.startswith(b"HTTP/1.1 200 OK")
        client = self.server.accept()
        client.send(UPGRADE.replace(b"/ws", b"http://example.org/ws?x=1") + b"\r\n")
        assert client.read_head().startswith(b"HTTP/1.1 101 ")

    def test_odd_targets(self) -> None:
        for target, status in (
            (b"http://[::1", b"400"),
            (b"http://", b"400"),
            (b"x", b"400"),
            (b"h:443", b"400"),
            (b"http://h", b"200"),
            (b"https://h:8787?x", b"200"),
            (b"http://h/nowhere", b"404"),
        ):
            client = self.server.accept()
            client.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
            assert client.transport.value()[9:12] == status, target

    def test_very_long_path(self) -> None:
        assert self.replies(b"GET /api/check/" + b"A" * 8000 + b" HTTP/1.1\r\nHost: x\r\n\r\n").endswith(
            b'{"online":false}'
        )


class KeptConnectionTest(SynchronousTestCase):
    """An HTTP connection that becomes a WebSocket."""

    def test_it_keeps_its_place(self) -> None:
        server = Server()
        client = server.accept()
        client.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
        client.transport.clear()
        server.hub.capacity.allow(1)
        client.send(UPGRADE + b"\r\n")
        assert client.read_head().startswith(b"HTTP/1.1 101 ")
        assert server.hub.capacity.open == 1
        assert server.accept("192.0.2.2").read_head().startswith(b"HTTP/1.1 503 ")
        client.lose()
        assert server.hub.capacity.open == 1, "the one that was refused"

    def test_the_peer_has_sent_all_before_the_websocket_opens(self) -> None:
        """By TLS, the end comes with what was sent before it, of which a turn answers a part."""
        server = Server()
        for number in (1, MAX_REQUESTS + 1):
            client = server.accept()
            client.transport.protocol.dataReceived(
                b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * number + UPGRADE + b"\r\n"
            )
            client.transport.protocol.readConnectionLost()
            server.clock.advance(0)
            assert client.transport.value().count(b"HTTP/1.1 101 ") == 1
            assert client.transport.disconnecting, number
