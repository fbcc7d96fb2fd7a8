"""REST in memory: the same port, the same factory, no network."""

from __future__ import annotations

from ma_signaling import __version__
from ma_signaling.http.channel import IDLE_SECONDS, MAX_REQUESTS
from ma_signaling.transport.reading import MAX_GOING_ON
from tests.support.fake_prover import FakeProver
from tests.support.memory_server import TEXT, UPGRADE, Reply, Server, frame
from tests.support.web_case import WebTestCase


class PagesTest(WebTestCase):
    """What each path answers."""

    def test_health(self) -> None:
        assert self.ask("/health").json == {
            "status": "ok",
            "version": __version__,
            "servers": 1,
            "clients": 0,
            "pendingClients": 0,
            "rateLimiter": {"trackedIps": 1, "blockedIps": 0, "failedLookupTracked": 0},
            "proof": "unavailable: off",
        }

    def test_health_when_proof_can_be_had(self) -> None:
        self.server.hub.prover = FakeProver()
        assert self.ask("/health").json["proof"] == "available"

    def test_health_is_never_limited(self) -> None:
        for _ in range(300):
            assert self.ask("/health").status == 200

    def test_root(self) -> None:
        text = self.ask("/")
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        assert "Music Assistant Signaling Server" in text.body.decode()
        assert "Connected servers: 1" in text.body.decode()
        page = self.ask("/", headers="Accept: text/html,*/*;q=0.8\r\n")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.body.startswith(b"<!doctype html>")

    def test_unknown_paths(self) -> None:
        for path in (
            "/nowhere",
            "/health/x",
            "/api",
            "/api/",
            "/api/check",
            "/api/check/",
            "/api/check/A/B",
            "//ws",
            "/ws/x",
            "/ws//",
        ):
            reply = self.ask(path)
            expected = 404 if path != "/api/check/" else 200
            assert reply.status == expected, path
            assert reply.headers["content-type"] == "application/json", path

    def test_methods(self) -> None:
        for method in ("POST", "PUT", "DELETE", "PATCH", "BREW"):
            for path in ("/", "/health", "/api/check/HOME", "/ws", "/nowhere"):
                reply = self.ask(path, method)
                assert reply.status == 405, (method, path)
                assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
                assert reply.json == {"error": "Method not allowed"}

    def test_options_anywhere(self) -> None:
        for path in ("/", "/health", "/api/check/HOME", "/ws", "/nowhere", "*"):
            reply = self.ask(path, "OPTIONS")
            assert (reply.status, reply.body) == (204, b""), path
            assert reply.headers["access-control-allow-methods"] == "GET, OPTIONS"
            assert reply.headers["access-control-allow-headers"] == "Content-Type"
            assert "content-length" not in reply.headers, path

    def test_head_wherever_get(self) -> None:
        for path in ("/", "/health", "/api/check/HOME", "/nowhere", "/ws"):
            get, head = self.ask(path), self.ask(path, "HEAD")
            assert head.status == get.status, path
            assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body)), path
            assert head.body == b"", path

    def test_headers_of_every_reply(self) -> None:
        for path, method in (
            ("/", "GET"),
            ("/health", "POST"),
            ("/nowhere", "GET"),
            ("/ws", "GET"),
            ("/x", "OPTIONS"),
        ):
            reply = self.ask(path, method)
            assert reply.headers["access-control-allow-origin"] == "*"
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert "server" not in reply.headers

    def test_no_upgrade(self) -> None:
        for path in ("/ws", "/ws/", "/ws?x"):
            reply = self.ask(path)
            assert reply.status_line == "HTTP/1.1 426 Upgrade Required"
            assert reply.headers["upgrade"] == "websocket"
            assert reply.headers["connection"] == "Upgrade, close"
            assert reply.headers["sec-websocket-version"] == "13"
            assert reply.json == {"error": "Expected WebSocket"}

    def test_upgrade_elsewhere(self) -> None:
        client = self.server.accept()
        client.send(UPGRADE.replace(b"/ws", b"/health") + b"\r\n")
        assert Reply(client.transport.value()).json["status"] == "ok"


class CheckTest(WebTestCase):
    """/api/check/R."""

    def test_online(self) -> None:
        for name in ("HOME", "home", "%48OME", "HOME?x=y"):
            assert self.ask(f"/api/check/{name}").json == {"online": True}, name

    def test_hyphens_of_the_settings_page(self) -> None:
        home = self.server.connect("192.0.2.5")
        home.say(type="register-server", remoteId="ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        assert self.ask("/api/check/abcdefgh-IJKLM-NOPQR-STUVWXYZ").json == {"online": True}
        assert self.ask("/api/check/abcdefgh-IJKLM-NOPQR-STUVWXY9").json == {"online": False}

    def test_offline(self) -> None:
        """Defect 21: what no home can be called is offline, and a query is no part of the name."""
        for name in ("NOBODY", "A%2FB?x", "%FF", "A" * 65, "A%00"):
            reply = self.ask(f"/api/check/{name}")
            assert (reply.status, reply.json) == (200, {"online": False}), name

    def test_limited(self) -> None:
        for number in range(100):
            assert self.ask(f"/api/check/{'HOME' if number % 2 else '%20'}").status == 200
        for name in ("HOME", "%20"):
            reply = self.ask(f"/api/check/{name}")
            assert reply.status == 429
        assert reply.status == 429
        assert reply.json == {"error": "Rate limited", "retryAfter": 60}
        assert reply.headers["retry-after"] == "60"
        assert self.ask("/api/check/HOME", host="192.0.2.3").status == 200

    def test_guessing(self) -> None:
        replies = [self.ask(f"/api/check/GUESS{number}") for number in range(11)]
        assert [reply.status for reply in replies] == [200] * 9 + [429] * 2
        assert replies[9].json == {"error": "Too many failed attempts. You have been temporarily blocked."}
        assert replies[10].json == {"error": "Rate limited", "retryAfter": 60}

    def test_behind_a_proxy(self) -> None:
        """Defect 5: only what a trusted neighbour adds counts."""
        for number in range(100):
            headers = f"X-Forwarded-For: 9.9.9.{number}, 198.51.100.1\r\n"
            assert self.ask("/api/check/HOME", headers=headers, host="127.0.0.1").status == 200
        headers = "X-Forwarded-For: 9.9.9.200, 198.51.100.1\r\n"
        assert self.ask("/api/check/HOME", headers=headers, host="127.0.0.1").status == 429
        headers = "X-Forwarded-For: 198.51.100.2\r\n"
        assert self.ask("/api/check/HOME", headers=headers, host="127.0.0.1").status == 200


class ConnectionTest(WebTestCase):
    """More than one request on a connection."""

    def test_keep_alive_and_pipelining(self) -> None:
        client = self.server.accept()
        client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        assert client.transport.value().count(b"HTTP/1.1 200 OK") == 3
        assert not client.transport.disconnecting

    def test_idle_connection_is_closed(self) -> None:
        client = self.server.accept()
        client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.server.advance(IDLE_SECONDS)
        assert not client.transport.disconnecting
        self.server.advance(1)
        assert client.transport.disconnecting

    def test_a_turn_takes_a_share(self) -> None:
        """However many requests one read brings; the rest follows in later turns, with others in between."""
        for ends in (False, True):
            client = self.server.accept()
            request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
            client.send(request)
            client.transport.clear()
            client.transport.protocol.dataReceived(request * 100)
            assert client.transport.value().count(b"HTTP/1.1 200 OK") == MAX_REQUESTS
            assert client.transport.producerState == "paused"
            # TLS hands over all that one read has brought.
            client.transport.protocol.dataReceived(request)
            assert client.transport.value().count(b"HTTP/1.1 200 OK") == MAX_REQUESTS
            if ends:
                client.transport.protocol.readConnectionLost()
            self.server.clock.advance(0)
            assert client.transport.value().count(b"HTTP/1.1 200 OK") == 101
            assert client.transport.producerState == "producing"
            assert client.transport.disconnecting == ends
            client.lose()

    def test_a_turn_goes_on_with_some_only(self) -> None:
        """However many connections have requests that wait: others have their turns in between."""
        clients = [self.server.accept() for _ in range(2 * MAX_GOING_ON)]
        for client in clients:
            client.transport.protocol.dataReceived(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            client.transport.clear()
        answered = []
        for _ in range(2):
            # One turn of a reactor: what is added in it waits for the next.
            clock = self.server.clock
            due = [call for call in clock.calls if call.time <= clock.seconds()]
            clock.calls = [call for call in clock.calls if call not in due]
            for call in due:
                call.func(*call.args, **call.kw)
            answered.append(sum(client.transport.value().count(b"HTTP/1.1 200 OK") for client in clients))
        assert answered == [3 * MAX_GOING_ON, 6 * MAX_GOING_ON]

    def test_gone_while_requests_wait(self) -> None:
        client = self.server.accept()
        client.transport.protocol.dataReceived(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        client.lose()
        client.transport.clear()
        self.server.advance(1)
        assert not client.transport.value()

    def test_upgrade_after_another_request(self) -> None:
        """Proxies keep connections, and may upgrade one that has carried a request before."""
        client = self.server.accept("127.0.0.1")
        client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        client.transport.clear()
        client.send(UPGRADE + b"X-Forwarded-For: 198.51.100.1\r\n\r\n")
        assert client.read_head().startswith(b"HTTP/1.1 101 ")
        client.send(frame(TEXT, b'{"type":"ping"}'))
        assert client.heard() == [{"type": "pong"}]
        assert self.server.hub.capacity.of("198.51.100.1") == 1
        self.server.clock.advance(IDLE_SECONDS + 100)
        assert not client.transport.disconnecting
        client.lose()
        assert self.server.hub.capacity.of("198.51.100.1") == 0

    def test_upgrade_after_another_request_is_limited_too(self) -> None:
        server = Server(connections_per_minute=1)
        server.connect()
        client = server.accept()
        client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        client.transport.clear()
        client.send(UPGRADE + b"\r\n")
        assert client.read_head().startswith(b"HTTP/1.1 429 ")

    def test_garbage(self) -> None:
        for garbage in (
            b"hello\r\n\r\n",
            b"GET /health\r\n\r\n",
            b"\r\n\r\n\r\n\r\n",
        ):
            client = self.server.accept()
            client.send(garbage)
            assert client.transport.value().startswith(b"HTTP/1.1 400 "), garbage
