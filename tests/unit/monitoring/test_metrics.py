"""What Prometheus is told, and who else isn't."""

from __future__ import annotations

import re
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event, each_of
from ma_signaling.monitoring.metrics import Metrics
from tests.support.memory_server import CLOSE, PING, PONG, TEXT, UPGRADE, Server, Socket, frame
from tests.support.metrics_text import Samples, parse

FOR_THE_LOG_ONLY = {
    Event.CERTIFICATE_SHARED,
    Event.CLIENT_NOT_NAMED,
    Event.FORWARDING_IGNORED,
    Event.FORWARDING_UNUSABLE,
}
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def scrape(server: Server, host: str = "127.0.0.1", headers: bytes = b"") -> str:
    """The reply to GET /metrics, head and body."""
    socket = server.accept(host)
    socket.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\n" + headers + b"\r\n")
    reply: bytes = socket.transport.value()
    return reply.decode()


def samples(server: Server) -> Samples:
    return parse(server.metrics.text().decode())


def home(server: Server, address: str = "192.0.2.1", remote_id: str = "HOME-0123") -> Socket:
    socket = server.connect(address)
    socket.say(type="register-server", remoteId=remote_id, iceServers=[])
    return socket


def call(server: Server, host: Socket | None, address: str = "198.51.100.7") -> Socket:
    """A client's request, which the home accepts if it is there."""
    client = server.connect(address)
    client.say(type="connect-request", remoteId="HOME-0123")
    if host is not None:
        host.say(type="session-ready", sessionId=host.heard()[-1]["sessionId"])
    return client


class CountingTest(SynchronousTestCase):
    """One story each."""

    def setUp(self) -> None:
        self.server = Server(max_message_bytes=2048)

    def _assert(self, name: str, *labels: str, is_: float) -> None:
        self.assertEqual(samples(self.server).get((name, labels)), is_, (name, labels))

    def test_a_call(self) -> None:
        host = home(self.server)
        client = self.server.connect("198.51.100.7")
        client.say(type="connect-request", remoteId="HOME-0123")
        self._assert("sessions", "pending", is_=1)
        self.server.clock.advance(0.3)
        host.say(type="session-ready", sessionId=host.heard()[-1]["sessionId"])
        client.say(type="offer", sdp="x")
        for _ in range(3):
            client.say(type="ice-candidate")
        self.server.connect("192.0.2.8").say(type="nonsense")
        self._assert("registrations_total", "new", is_=1)
        self._assert("sessions_started_total", is_=1)
        self._assert("sessions_opened_total", "yes", is_=1)
        self._assert("sessions", "open", is_=1)
        self._assert("homes", is_=1)
        for role in ("home", "client", "none"):
            self._assert("connections", role, is_=1)
        self._assert("time_to_connected_seconds_bucket", "0.2", is_=0)
        self._assert("time_to_connected_seconds_bucket", "0.5", is_=1)
        self._assert("messages_total", "client", "ice-candidate", is_=3)
        self._assert("message_bytes_total", "client", "offer", is_=len(b'{"type": "offer", "sdp": "x"}'))
        self._assert("messages_total", "home", "session-ready", is_=1)
        self._assert("messages_total", "client", "other", is_=1)
        client.send(frame(CLOSE, b"\x03\xe8"))
        self._assert("sessions_ended_total", is_=1)

    def test_a_home_that_never_says_ready(self) -> None:
        home(self.server)
        call(self.server, None)
        self.server.clock.advance(10)
        self._assert("sessions_opened_total", "no", is_=1)
        self._assert("time_to_connected_seconds_bucket", "10.0", is_=1)

    def test_grace(self) -> None:
        host = home(self.server)
        for back in (True, False):
            host.lose()
            client = call(self.server, None)
            if back:
                host = home(self.server)
                client.send(frame(CLOSE, b"\x03\xe8"))
                continue
            self.server.clock.advance(60)
        self._assert("graces_total", "started", is_=2)
        self._assert("graces_total", "returned", is_=1)
        self._assert("graces_total", "expired", is_=1)
        self._assert("homes_gone_total", "lost", is_=2)
        self._assert("parked_total", "started", is_=2)
        self._assert("parked_total", "resumed", is_=1)
        self._assert("sessions_failed_total", "server-not-found", is_=1)

    def test_what_alerts_wait_for_is_there_from_the_start(self) -> None:
        """Prometheus sees no increase where a series begins, so the first takeover would go unseen."""
        self._assert("takeovers_total", "won by proof", is_=0)
        self._assert("limits_hit_total", "lookups", is_=0)
        self._assert("closed_total", "4029", is_=0)
        at_first = set(samples(self.server))
        for scenario in (self.test_takeovers, self.test_limits):
            scenario()
        begun = ("takeovers_total", "limits_hit_total", "closed_total")
        assert {key for key in samples(self.server) if key[0] in begun} <= at_first

    def test_takeovers(self) -> None:
        host = home(self.server)
        home(self.server, "192.0.2.9")
        host.send(frame(PONG, next(payload for opcode, payload in host.frames() if opcode == PING)))
        home(self.server, "192.0.2.9")
        self.server.advance(6)
        self._assert("takeovers_total", "refused: holder lives", is_=1)
        self._assert("takeovers_total", "won by silence", is_=1)
        self._assert("registrations_total", "new", is_=2)
        self._assert("closed_total", "1013", is_=1)

    def test_limits(self) -> None:
        stranger = self.server.connect("203.0.113.1")
        for n in range(10):
            stranger.say(type="connect-request", remoteId=f"GUESS{n}")
        self._assert("blocks_total", is_=1)
        self._assert("blocked_addresses", is_=1)
        self._assert("closed_total", "4008", is_=1)
        flood = self.server.connect("203.0.113.2")
        flood.send(frame(TEXT, b'{"type":"ping"}') * 51)
        self._assert("limits_hit_total", "messages", is_=1)
        for _ in range(1201):
            socket = self.server.accept("203.0.113.3")
            socket.send(UPGRADE + b"\r\n")
            socket.lose()
        self._assert("limits_hit_total", "connections in a minute", is_=1)

    def test_dead_peers(self) -> None:
        home(self.server)
        for _ in range(2):
            self.server.advance(30)
        self._assert("dropped_total", "no answer to a ping", is_=1)

    def test_every_event_counts_or_is_for_the_log_only(self) -> None:
        for event in Event:
            metrics = Metrics()
            before = metrics.text()
            each_of(metrics)(event, code=1, reason="r", outcome="o", limit="l", mistake="m")
            only_logged = event in FOR_THE_LOG_ONLY
            self.assertEqual(
                re.sub(rb"process_.*", b"", metrics.text()) == re.sub(rb"process_.*", b"", before),
                only_logged,
                event,
            )


class AccessTest(SynchronousTestCase):
    """This machine, and those who are allowed."""

    def test_others_do_not_find_it(self) -> None:
        server = Server(metrics_allow=LOOPBACK)
        self.assertIn("HTTP/1.1 404 ", scrape(server, "192.0.2.1"))
        self.assertIn("HTTP/1.1 404 ", scrape(server, headers=b"X-Forwarded-For: 192.0.2.1\r\n"))
        self.assertIn("HTTP/1.1 404 ", scrape(server, headers=b"X-Forwarded-For: garbage, 192.0.2.1\r\n"))
        # From a trusted proxy, which names the client where nobody has been told to look.
        self.assertIn("HTTP/1.1 404 ", scrape(server, headers=b"X-Real-IP: 192.0.2.1\r\n"))
        self.assertIn("HTTP/1.1 200 ", scrape(server, "::1"))

    def test_not_there_unless_it_is_asked_for(self) -> None:
        self.assertIn("HTTP/1.1 404 ", scrape(Server()))

    def test_forged_header_of_a_stranger(self) -> None:
        server = Server(metrics_allow=LOOPBACK)
        self.assertIn("HTTP/1.1 404 ", scrape(server, "192.0.2.1", b"X-Forwarded-For: 127.0.0.1\r\n"))

    def test_allowed(self) -> None:
        server = Server(metrics_allow=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
        self.assertIn("HTTP/1.1 200 ", scrape(server, "192.0.2.1"))
        self.assertIn("HTTP/1.1 200 ", scrape(server, headers=b"X-Forwarded-For: 2001:db8::7\r\n"))
        self.assertIn("HTTP/1.1 404 ", scrape(server, "192.0.3.1"))
