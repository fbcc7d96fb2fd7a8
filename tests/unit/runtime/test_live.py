"""Settings that change while the server runs: each of them does, whatever else it may say in its declaration."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from twisted.internet.interfaces import ISSLTransport
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from ma_signaling.config.declaration import SettingError
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.values import networks
from ma_signaling.runtime.prover import ChildProver
from ma_signaling.runtime.shutdown import Connections
from tests.support.fake_process import FakeReactor
from tests.support.fake_prover import FakeAsked, FakeProver
from tests.support.memory_server import TEXT, UPGRADE, Server, Socket, frame

GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
LONGEST = 100.0

Probe = Callable[[Server], object]


def status(server: Server, path: bytes, headers: bytes = b"", host: str = "192.0.2.1") -> bytes:
    """The status of one GET."""
    client = server.accept(host)
    client.send(GET % (path, headers))
    code = client.read_head()[9:12]
    client.lose(clean=True)
    return code


def upgrade(server: Server, headers: bytes = b"", host: str = "192.0.2.1") -> bytes:
    """The status of one WebSocket's opening."""
    client = server.accept(host)
    client.send(UPGRADE + headers + b"\r\n")
    return client.read_head()[9:12]


def seconds_until(server: Server, happened: Callable[[], object]) -> float:
    """How long something takes that only time brings about."""
    begun = server.clock.seconds()
    while not happened():
        assert server.clock.seconds() - begun < LONGEST, "it never happens"
        server.clock.advance(0.5)
    return server.clock.seconds() - begun


def heard(peer: Socket, type: str) -> Callable[[], bool]:
    """Whether a peer has heard a message of this type, since the last question."""
    return lambda: type in [message["type"] for message in peer.heard()]


def forwarded(server: Server, *sizes: int, wait: float = 0.0) -> int:
    """How many candidates of these sizes arrive, ``wait`` seconds apart."""
    first = server.home()
    second, _ = server.session(first)
    for size in sizes:
        server.clock.advance(wait)
        second.say(type="ice-candidate", data="x" * size)
    return sum(message["type"] == "ice-candidate" for message in first.heard())


def pongs(server: Server, count: int, wait: float = 0.0) -> int:
    """How many pings are answered, ``wait`` seconds apart."""
    peer = server.connect()
    for _ in range(count):
        server.clock.advance(wait)
        peer.say(type="ping")
    return sum(message["type"] == "pong" for message in peer.heard())


def requests(server: Server) -> list[str]:
    """What a home hears when five clients of one address ask for it."""
    first = server.home()
    for _ in range(5):
        server.connect("198.51.100.1").say(type="connect-request", remoteId="HOME")
    return [message["type"] for message in first.heard()]


def hsts(server: Server) -> bool:
    client = server.accept()
    directlyProvides(client.transport, ISSLTransport)
    client.send(GET % (b"/health", b""))
    return b"Strict-Transport-Security: max-age=60" in client.read_head()


def seen_as(server: Server, headers: bytes) -> list[str]:
    """Whom a connection of 192.0.2.1 with these headers counts for."""
    server.connect("192.0.2.1", headers)
    return list(server.hub._silent._by_key)


def asked(server: Server, count: int) -> list[str]:
    """Return the codes of so many requests for a home that nobody knows, from one address."""
    client = server.connect()
    for _ in range(count):
        client.say(type="connect-request", remoteId="NOBODY")
    return [message["code"] for message in client.heard()]


def silent_connections(server: Server) -> list[Socket]:
    """Return which of ten connections that say nothing stay."""
    return [client for client in [server.connect() for _ in range(10)] if client.close_code() is None]


def open_sockets(server: Server) -> int:
    """How many of ten neighbours find a place."""
    answers = [server.accept(f"192.0.2.{number}").read_head()[9:12] for number in range(10)]
    return answers.count(b"")


def held_back(server: Server) -> int:
    """How much may wait for a client that doesn't read, before its home is told."""
    first = server.home()
    second, _ = server.session(first)
    second.protocol.pauseProducing()
    session_id = server.hub.sessions.all()[0].id
    for _ in range(20):
        first.say(type="ice-candidate", sessionId=session_id, data="x" * 10_000)
    return sum(message["type"] == "ice-candidate" for message in second.heard())


def largest(server: Server) -> bool:
    peer = server.connect()
    peer.send(frame(TEXT, b'{"type":"ping","x":"%b"}' % (b"x" * 2000)))
    return heard(peer, "pong")()


def ready(server: Server) -> float:
    server.home()
    client = server.connect("198.51.100.1")
    client.say(type="connect-request", remoteId="HOME")
    return seconds_until(server, heard(client, "connected"))


def takeover(server: Server) -> float:
    server.home()
    stranger = server.connect("198.51.100.1")
    stranger.say(type="register-server", remoteId="HOME")
    return seconds_until(server, heard(stranger, "registered"))


def proofs(server: Server) -> int:
    """How many homes are asked for proof, of ten that somebody else wants to be."""
    asked = 0
    for number in range(10):
        remote_id = number * "A" + "B" * (26 - number)
        holder = server.home(remote_id)
        server.connect("198.51.100.1").say(type="register-server", remoteId=remote_id)
        asked += heard(holder, "client-connected")()
    return asked


def grace(server: Server) -> float:
    first = server.home()
    second, _ = server.session(first)
    first.lose()
    return seconds_until(server, heard(second, "peer-disconnected"))


def park(server: Server) -> float:
    server.home().lose()
    client = server.connect("198.51.100.1")
    client.say(type="connect-request", remoteId="HOME")
    return seconds_until(server, heard(client, "error"))


def drained(server: Server) -> int:
    """How many of 200 peers are closed at once when the server stops."""
    peers = [server.connect(f"192.0.2.{number}") for number in range(200)]
    reactor: Any = server.clock
    Connections(server.hub, server.factory, server.settings, reactor).stopService()
    return sum(peer.close_code() is not None for peer in peers)


RELAY = {"turn_urls": ("turn:relay.example.org",)}


def ice_servers(server: Server) -> list[str]:
    """What a client is told to use, as the kinds of its servers, and for how long."""
    first, second = server.home(), server.connect("198.51.100.1")
    second.say(type="connect-request", remoteId="HOME")
    first.say(type="session-ready", sessionId=first.heard()[-1]["sessionId"])
    servers = second.heard()[-1].get("iceServers", [])
    now = int(time.time())
    return [
        f"{each['urls']} {int(each.get('username', '0').partition(':')[0]) > now + 1800}" for each in servers
    ]


def relays(server: Server) -> int:
    """How many of five clients of one address are given a relay."""
    first, given = server.home(), 0
    for _ in range(5):
        client = server.connect("198.51.100.1")
        client.say(type="connect-request", remoteId="HOME")
        first.say(type="session-ready", sessionId=first.heard()[-1]["sessionId"])
        given += "iceServers" in client.heard()[-1]
    return given


def most(answer: bytes, ask: Callable[[int], bytes]) -> int:
    """How many of ten times something has this answer."""
    return [ask(number) for number in range(10)].count(answer)


def means(server: Server) -> object:
    """What a proof may use."""
    reactor: Any = FakeReactor()
    ChildProver(server.settings, lambda: server.hub.ice_servers, reactor).ask("A" * 26, FakeAsked())
    return reactor.children[0].heard[0]["means"]


PROBES: dict[str, tuple[Probe, Any, Any, dict[str, Any]]] = {
    "hsts": (hsts, 0, 60, {}),
    "trusted_proxies": (
        lambda server: seen_as(server, b"X-Forwarded-For: 198.51.100.1\r\n"),
        (),
        networks("192.0.2.0/24"),
        {},
    ),
    "client_ip_header": (
        lambda server: seen_as(server, b"X-Real-IP: 198.51.100.1\r\n"),
        "",
        "X-Real-IP",
        {"trusted_proxies": networks("192.0.2.0/24")},
    ),
    "allowed_origins": (
        lambda server: upgrade(server, b"Origin: https://a.example\r\n"),
        (),
        ("https://b.example",),
        {},
    ),
    "max_connections": (open_sockets, 3, 6, {}),
    "metrics_allow": (
        lambda server: status(server, b"/metrics"),
        (),
        networks("192.0.2.0/24"),
        {},
    ),
    "connections_per_minute": (lambda server: most(b"101", lambda _: upgrade(server)), 3, 6, {}),
    "sockets_per_minute": (
        lambda server: [server.accept().transport.aborted for _ in range(10)].count(False),
        3,
        6,
        {},
    ),
    "exempt": (
        lambda server: most(b"200", lambda _: status(server, b"/")),
        (),
        (ip_network("192.0.2.0/24"),),
        {"requests_per_minute": 3},
    ),
    "requests_per_minute": (lambda server: most(b"200", lambda _: status(server, b"/")), 3, 6, {}),
    "silent_connections_per_address": (lambda server: len(silent_connections(server)), 3, 6, {}),
    "lookups_per_minute": (
        lambda server: most(b"200", lambda _: status(server, b"/api/check/HOME")),
        3,
        6,
        {},
    ),
    "connect_requests_per_minute": (
        lambda server: [code for code in asked(server, 10) if code != "rate-limited"],
        3,
        6,
        {},
    ),
    "guesses_per_minute": (
        lambda server: most(b"200", lambda number: status(server, b"/api/check/%d" % number)),
        3,
        6,
        {},
    ),
    "message_rate": (lambda server: forwarded(server, *[1] * 9, wait=0.1), 1, 9, {"message_burst": 2}),
    "message_burst": (lambda server: forwarded(server, *[1] * 9), 3, 6, {}),
    "message_bytes_rate": (
        lambda server: forwarded(server, *[1000] * 9, wait=0.1),
        100,
        9000,
        {"message_bytes_burst": 3000},
    ),
    "message_bytes_burst": (
        lambda server: forwarded(server, *[1000] * 9),
        3500,
        6500,
        {"message_bytes_rate": 1},
    ),
    "control_rate": (lambda server: pongs(server, 9, wait=0.1), 1, 9, {"control_burst": 2}),
    "control_burst": (lambda server: pongs(server, 9), 3, 6, {}),
    "home_sessions_per_minute": (requests, 1, 3, {}),
    "home_sessions": (requests, 1, 3, {}),
    "max_message_bytes": (largest, 1024, 4096, {}),
    "send_buffer_bytes": (held_back, 65536, 262144, {}),
    "ready_timeout": (ready, 3, 6, {}),
    "takeover_timeout": (takeover, 3, 6, {}),
    "proof": (means, "auto", "relay", {}),
    "proofs_per_minute": (proofs, 2, 5, {"prover": FakeProver()}),
    "proof_networks": (means, (), (ip_network("10.0.0.0/8"),), {}),
    "proof_address": (means, "", "198.51.100.7", {}),
    "grace": (grace, 3, 6, {}),
    "park": (park, 3, 6, {}),
    "stun_urls": (ice_servers, (), ("stun:stun.example.org",), {}),
    "turn_urls": (ice_servers, (), ("turn:relay.example.org",), {}),
    "turn_ttl": (ice_servers, 60, 3600, RELAY),
    "turn_per_home": (relays, 1, 3, RELAY),
    "turn_per_address": (relays, 1, 3, RELAY),
    "turn_total": (relays, 1, 3, RELAY),
    "drain_seconds": (drained, 0, 30, {}),
}
"""For each live setting: what shows its value, two values that can be told apart, and what else that takes."""


class EffectTest(SynchronousTestCase):
    """A change to a live setting has the effect that a restart with it would have."""

    def test_every_live_setting(self) -> None:
        # Those with a file: tests/unit/runtime/test_operator_files.py.
        in_files = {"deny", "allow_remote_ids"}
        assert PROBES.keys() | in_files == {setting.name for setting in declarations() if setting.live}
        for name, (probe, before, after, others) in PROBES.items():
            fresh = [probe(Server(**{name: value}, **others)) for value in (before, after)]
            assert fresh[0] != fresh[1], f"{name}: this shows nothing"
            for index, (old, new) in enumerate(((after, before), (before, after))):
                server = Server(**{name: old}, **others)
                server.factory.addresses.socket_key("192.0.2.1")  # remembered, with whether it is trusted
                said = {key: value for key, value in others.items() if key != "prover"}
                server.live.adopt(Settings(**{name: new}, **said))
                assert probe(server) == fresh[index], f"{name}: {old} stays, though {new} is set"

    def test_what_is_not_live_stays(self) -> None:
        server = Server()
        server.live.adopt(Settings(port=("1",), ping_interval=1.0, grace=1.0))
        assert server.settings == Settings(start_grace=0, grace=1.0)


class LogTest(SynchronousTestCase):
    """One line for each setting that has changed."""

    def adopted(self, server: Server, read: Callable[[], Settings]) -> list[tuple[LogLevel, str]]:
        with capturedLogs() as logged:
            server.live.reread(read)
        return [(event["log_level"], str(formatEvent(event))) for event in logged]

    def test_changes(self) -> None:
        server = Server(grace=45.0, ping_interval=30.0)
        newer = Settings(start_grace=0, grace=60.0, ping_interval=20.0, port=("1", "2"), trusted_proxies=())
        lines = self.adopted(server, lambda: newer)
        assert lines == [
            (LogLevel.info, 'port stays ["8787"]; ["1", "2"] takes effect after a restart'),
            (LogLevel.info, 'trusted_proxies changed from ["127.0.0.0/8", "::1/128"] to []'),
            (LogLevel.info, "ping_interval stays 30; 20 takes effect after a restart"),
            (LogLevel.info, "grace changed from 45 to 60"),
        ]
        assert len(self.adopted(server, lambda: newer)) == 2, "what takes a restart still does"

    def test_no_changes(self) -> None:
        assert self.adopted(Server(start_grace=75.0), Settings) == [(LogLevel.info, "No setting has changed")]

    def test_mistakes_change_nothing(self) -> None:
        def read() -> Settings:
            raise SettingError("x.toml: graze")

        server = Server(grace=1.0)
        assert self.adopted(server, read) == [(LogLevel.error, "Settings unchanged: x.toml: graze")]
        assert server.settings == Settings(start_grace=0, grace=1.0)
