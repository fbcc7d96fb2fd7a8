"""What each address may ask for by HTTP, and whom no limit counts."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_server import UPGRADE, Reply, Server
from tests.support.web_case import WebTestCase


class RequestBudgetTest(SynchronousTestCase):
    """HTTP requests that cost their sender next to nothing."""

    REQUEST = b"HEAD / HTTP/1.1\r\nHost: h\r\n"

    def test_pipelined(self) -> None:
        """Those beyond the budget end the connection, and the next one too, without an answer."""
        server = Server(requests_per_minute=3)
        client = server.accept("192.0.2.1")
        client.send((self.REQUEST + b"\r\n") * 10)
        assert client.transport.value().count(b"HTTP/1.1 200") == 3
        assert client.transport.aborted
        again = server.accept("192.0.2.1")
        again.send(self.REQUEST + b"\r\n")
        assert (again.transport.value(), again.transport.aborted) == (b"", True)
        other = server.accept("192.0.2.2")
        other.send(self.REQUEST + b"\r\n")
        assert other.transport.value().startswith(b"HTTP/1.1 200")

    def test_behind_a_trusted_proxy(self) -> None:
        """The address that is reported pays, and hears why; nobody else behind the proxy does."""
        server = Server(requests_per_minute=1)
        for address, status in ((b"1", b"200"), (b"1", b"429"), (b"2", b"200")):
            client = server.accept("127.0.0.1")
            client.send(self.REQUEST + b"X-Forwarded-For: 198.51.100.%b\r\n\r\n" % address)
            assert client.read_head().startswith(b"HTTP/1.1 " + status)

    def test_health_costs_nothing(self) -> None:
        """Whoever asks, and however often; nothing else does, and no other port is asked for it."""
        server = Server(requests_per_minute=1)
        for host, line in (("192.0.2.1", b""), ("127.0.0.1", b"X-Forwarded-For: 198.51.100.1\r\n")):
            client = server.accept(host)
            for path in (b"/health", b"/ready", b"/health?x"):
                for method in (b"GET", b"HEAD"):
                    client.send(method + b" " + path + b" HTTP/1.1\r\nHost: h\r\n" + line + b"\r\n")
            assert client.transport.value().count(b"HTTP/1.1 200 ") == 6, host
            client.send(b"POST /health HTTP/1.1\r\nHost: h\r\n" + line + b"\r\n")
            assert client.transport.value().count(b"HTTP/1.1 405 ") == 1, host
            client.send(b"GET /healthy HTTP/1.1\r\nHost: h\r\n" + line + b"\r\n")
            assert b"HTTP/1.1 404 " not in client.transport.value(), host
            assert client.transport.disconnecting

    def test_refused_handshakes_behind_a_trusted_proxy(self) -> None:
        """They cost what any request costs the address that is reported, on a new connection and on a kept one."""
        server = Server(requests_per_minute=3, allowed_origins=("https://app.example.org",))
        for number, (request, status) in enumerate(
            (
                (b"GET /ws HTTP/1.1\r\nHost: h\r\n", 426),
                (UPGRADE.replace(b"==", b"="), 400),
                (UPGRADE + b"Content-Length: 5\r\n", 400),
                (UPGRADE + b"Origin: https://else.example\r\n", 403),
                (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n", 413),
                (b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n", 400),
            )
        ):
            for expected in (status, status, status, 429):
                client = server.accept("127.0.0.1")
                client.send(request + b"X-Forwarded-For: 198.51.100.%d\r\n\r\n" % number)
                assert Reply(client.transport.value()).status == expected, request
                assert client.transport.disconnecting
            for expected in (status, status, status, 429):
                client = server.accept("127.0.0.1")
                client.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
                client.transport.clear()
                client.send(request + b"X-Forwarded-For: 203.0.113.%d\r\n\r\n" % number)
                assert Reply(client.transport.value()).status == expected, request

    def test_content_depends_on_what_was_refused(self) -> None:
        """Whatever was pipelined behind it."""
        get, head = b"GET / HTTP/1.1\r\nHost: h\r\n", b"HEAD / HTTP/1.1\r\nHost: h\r\n"
        named = b"X-Forwarded-For: 198.51.100.1\r\n\r\n"
        websocket = b"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n"
        for requests_per_minute, sent, status, has_content in (
            (9, websocket + head + b"\r\n", b"426", True),
            (9, UPGRADE.replace(b"13", b"12") + b"\r\n" + head + b"\r\n", b"426", True),
            (1, get + named + get + named + head + named, b"429", True),
            (1, get + named + head + named, b"429", False),
            (1, get + named + head + named + get + named, b"429", False),
        ):
            client = Server(requests_per_minute=requests_per_minute).accept("127.0.0.1")
            client.send(sent)
            *_, reply = client.transport.value().split(b"HTTP/1.1 ")
            assert reply.startswith(status), sent
            assert bool(reply.partition(b"\r\n\r\n")[2]) == has_content, sent

    def test_an_unnamed_client_of_a_trusted_proxy(self) -> None:
        """Any header that a proxy adds makes a request somebody else's; without one, it is the operator's own."""
        for line, statuses in (
            (b"", [200] * 3),
            (b'Forwarded: for="x', [200, 429, 429]),
            (b"X-Real-IP: 198.51.100.1", [200, 429, 429]),
            (b"X-Forwarded-For: unknown", [200, 429, 429]),
            (b"X-Forwarded-Proto: https", [200, 429, 429]),
            (b"Via: 1.1 proxy", [200, 429, 429]),
            (b'X-Forwarded-For: 198.51.100.1\r\nForwarded: for="x', [200, 429, 429]),
        ):
            server = Server(requests_per_minute=1, exempt=(ip_network("127.0.0.1"),))
            replies = []
            for _ in statuses:
                client = server.accept("127.0.0.1")
                client.send(self.REQUEST + (line + b"\r\n" if line else b"") + b"\r\n")
                replies.append(Reply(client.transport.value()).status)
            assert replies == statuses, line


class ExemptTest(WebTestCase):
    """Networks that no limit counts."""

    def test_exempt(self) -> None:
        server = Server(
            exempt=(ip_network("192.0.2.0/24"),),
            lookups_per_minute=1,
            guesses_per_minute=1,
            requests_per_minute=1,
            sockets_per_minute=1,
            connections_per_minute=1,
            silent_connections_per_address=1,
        )
        for host, expected in (("192.0.2.7", [200, 200, 200]), ("198.51.100.7", [429, 0, 0])):
            statuses = []
            for name in ("A", "B", "C"):
                client = server.accept(host)
                client.send(f"GET /api/check/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                statuses.append(Reply(client.transport.value()).status if client.transport.value() else 0)
            assert statuses == expected
        for _ in range(3):
            server.connect("192.0.2.7")
        assert server.hub.connections_by_role()["none"] == 3
