"""Settings that change while the server runs: each of them does, whatever else it may say in its declaration."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.declaration import SettingError
from ma_signaling.config.settings import Settings, declarations
from ma_signaling.config.values import networks
from tests.support.fake_prover import FakeProver
from tests.support.live_effects import (
    RELAY,
    asked,
    drained,
    forwarded,
    grace,
    held_back,
    hsts,
    ice_servers,
    largest,
    means,
    most,
    open_sockets,
    park,
    pongs,
    proofs,
    ready,
    relays,
    requests,
    seen_as,
    silent_connections,
    status,
    takeover,
    upgrade,
)
from tests.support.memory_server import Server

Probe = Callable[[Server], object]


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
