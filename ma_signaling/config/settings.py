"""Every setting, declared once: name, type, default, unit and a line of help.

A field of ``Settings`` is all there is to add: the command-line option (``--field-name``), the environment variable
(``MA_SIGNALING_FIELD_NAME``), the key in a file, validation and the table in the documentation follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from ma_signaling.config import values
from ma_signaling.config.declaration import Declaration, setting
from ma_signaling.config.values import Network


@dataclass(kw_only=True, slots=True)
class Settings:
    """What holds for one server. 0 switches a limit off.

    All parts of a server share one of these, and look into it when they need a value: so ``adopt`` reaches them.
    """

    port: tuple[str, ...] = setting(
        "8787",
        values.port,
        "Where to listen: a port on every address, or a Twisted endpoint; may be repeated",
        unit="port or endpoint",
        repeatable=True,
        also="PORT",
    )
    http_port: tuple[str, ...] = setting(
        "",
        values.port,
        "Where to listen for plain text beside TLS, as --port does without it; may be repeated",
        unit="port or endpoint",
        repeatable=True,
    )
    reuse_port: bool = setting(
        "off",
        values.switch,
        "Whether several processes on this machine share every --port and --http-port by TCP; needs a NATS server",
        unit="on or off",
    )
    tls_cert: str = setting(
        "",
        str,
        "The certificate that every --port shows, PEM, with its chain; empty: --port speaks plain text",
        unit="path",
    )
    tls_key: str = setting("", str, "The certificate's private key, PEM, not encrypted", unit="path")
    hsts: int = setting(
        "0",
        values.whole(0),
        "For how long browsers that came by TLS shall come by nothing else; 0: they are told nothing",
        unit="seconds",
        live=True,
    )
    environment: str = setting(
        "development",
        values.choice("development", "production"),
        "What this server is used for, as the first line of its log says it",
        also="ENVIRONMENT",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "127.0.0.0/8,::1/128",
        values.networks,
        "Neighbours who are believed when they say whom they speak for",
        unit="networks, or none",
        live=True,
    )
    client_ip_header: str = setting(
        "",
        values.header_name,
        "By which header a trusted proxy says it, such as CF-Connecting-IP; empty: X-Forwarded-For, else Forwarded",
        unit="header name",
        live=True,
    )
    allowed_origins: tuple[str, ...] = setting(
        "",
        values.origins,
        "Web pages that may connect, such as https://app.example.org; empty: all; others than browsers always may",
        unit="origins",
        live=True,
    )
    max_connections: int = setting(
        "0",
        values.whole(0),
        "Open connections in all; 0: as many as the descriptor limit allows",
        unit="connections",
        live=True,
    )
    remembered_addresses: int = setting(
        "50000",
        values.whole(1),
        "Addresses, and Remote IDs, that limits and seniority remember; the oldest are forgotten first",
        unit="addresses",
    )
    state_file: str = setting(
        "",
        str,
        "Where seniority is kept over a restart, as keyed hashes; empty: nowhere",
        unit="path",
    )
    allow_remote_ids: str = setting(
        "",
        str,
        "A file of the only Remote IDs that may be registered, one a line; empty: every one may be",
        unit="path",
    )
    deny: str = setting(
        "",
        str,
        "A file of what is banned, one a line: addresses, networks and Remote IDs",
        unit="path",
    )
    log_addresses: str = setting(
        "network", values.choice("full", "network", "none"), "How client addresses appear in the log"
    )
    log_format: str = setting(
        "auto",
        values.choice("auto", "text", "json"),
        "Lines to read, or a JSON object each; auto: JSON in production",
    )
    metrics_port: str = setting(
        "",
        values.port_or_none,
        "A port of its own for /metrics, reached from this machine only, or an endpoint; then it is nowhere else",
        unit="port or endpoint",
    )
    metrics_allow: tuple[Network, ...] = setting(
        "none",
        values.networks,
        "Who may ask for /metrics besides this machine",
        unit="networks, or none",
        live=True,
    )
    connections_per_minute: int = setting(
        "100",
        values.whole(0),
        "New connections of one address within a minute",
        unit="connections",
        live=True,
    )
    connections_per_address: int = setting(
        "100", values.whole(0), "Open connections of one address", unit="connections", live=True
    )
    lookups_per_minute: int = setting(
        "100",
        values.whole(0),
        "Remote IDs that one address may ask for within a minute",
        unit="lookups",
        live=True,
    )
    guesses_per_minute: int = setting(
        "10",
        values.whole(0),
        "Distinct unknown Remote IDs within a minute that block an address's lookups",
        unit="Remote IDs",
        live=True,
    )
    message_rate: float = setting(
        "20",
        values.number(0, 1e6),
        "Messages of one session in one direction",
        unit="messages a second",
        live=True,
    )
    message_burst: int = setting(
        "200", values.whole(0), "How many of them may come at once", unit="messages", live=True
    )
    message_bytes_rate: float = setting(
        "65536",
        values.number(0, 1e9),
        "Bytes of one session in one direction",
        unit="bytes a second",
        live=True,
    )
    message_bytes_burst: int = setting(
        "524288", values.whole(0), "How many of them may come at once", unit="bytes", live=True
    )
    control_rate: float = setting(
        "5",
        values.number(0, 1e6),
        "All other messages of one connection",
        unit="messages a second",
        live=True,
    )
    control_burst: int = setting(
        "50", values.whole(0), "How many of them may come at once", unit="messages", live=True
    )
    home_sessions_per_minute: int = setting(
        "30", values.whole(0), "New sessions of one home within a minute", unit="sessions", live=True
    )
    home_sessions: int = setting(
        "64", values.whole(0), "Open sessions of one home", unit="sessions", live=True
    )
    session_stories: int = setting(
        "10000",
        values.whole(0),
        "Sessions whose story is remembered, until ten minutes after their end; 0: none",
        unit="sessions",
    )
    max_message_bytes: int = setting(
        "65536", values.whole(1024), "Largest message that is accepted", unit="bytes", live=True
    )
    send_buffer_bytes: int = setting(
        "1048576",
        values.whole(65536),
        "What may wait for one peer before it is cut off",
        unit="bytes",
        live=True,
    )
    ready_timeout: float = setting(
        "10",
        values.number(0.1, 25),
        "How long a home may take to say session-ready before its client is told all the same",
        unit="seconds",
        live=True,
    )
    takeover_timeout: float = setting(
        "5",
        values.number(0.1, 60),
        "How long a home may take to prove that it lives when another asks for its Remote ID",
        unit="seconds",
        live=True,
    )
    ping_interval: float = setting(
        "30",
        values.number(0.1, 3600),
        "Time between pings; a peer that leaves one unanswered until the next is dropped",
        unit="seconds",
    )
    grace: float = setting(
        "45",
        values.number(0, 3600),
        "How long a lost home's sessions wait for its return",
        unit="seconds",
        live=True,
    )
    park: float = setting(
        "20",
        values.number(0, 25),
        "How long a request waits for a lost home's return",
        unit="seconds",
        live=True,
    )
    nats_url: tuple[str, ...] = setting(
        "",
        values.nats_urls,
        "NATS servers that join this node to a cluster, such as nats://10.0.0.1:4222; empty: a server on its own",
        unit="URLs",
    )
    nats_credentials: str = setting(
        "", str, "A NATS credentials file (.creds) that lets this node in", unit="path"
    )
    nats_token_file: str = setting("", str, "Where a NATS token is that lets this node in", unit="path")
    nats_ca: str = setting(
        "",
        str,
        "Who has signed the NATS servers' certificates, PEM; empty: whom this machine trusts",
        unit="path",
    )
    short_path: bool = setting(
        "on",
        values.switch,
        "Whether usual messages and handshakes take a short way through Autobahn; off if you suspect a fault in it",
        unit="on or off",
    )
    stun_urls: tuple[str, ...] = setting(
        "",
        values.urls("stun", "stuns"),
        "STUN servers for sessions whose home names none",
        unit="URLs",
        live=True,
    )
    turn_urls: tuple[str, ...] = setting(
        "",
        values.urls("turn", "turns"),
        "Relays for sessions that their home has accepted, after the home's own",
        unit="URLs",
        live=True,
    )
    turn_secret_file: str = setting(
        "", str, "Where the relays' shared secret is (coturn's static-auth-secret)", unit="path"
    )
    turn_ttl: int = setting(
        "3600",
        values.whole(60),
        "How long a relay's credentials can be used to begin with it",
        unit="seconds",
        live=True,
    )
    turn_per_home: int = setting(
        "60",
        values.whole(0),
        "Relay credentials for one home's sessions within an hour",
        unit="sessions",
        live=True,
    )
    turn_per_address: int = setting(
        "20",
        values.whole(0),
        "Relay credentials for one client address within an hour",
        unit="sessions",
        live=True,
    )
    turn_in_all: int = setting(
        "5000", values.whole(0), "Relay credentials in all within an hour", unit="sessions", live=True
    )
    drain_seconds: float = setting(
        "30",
        values.number(0, 3600),
        "Over how long thousands of peers are closed when this server stops; a handful goes at once",
        unit="seconds",
        live=True,
    )

    def adopt(self, newer: Settings) -> list[Declaration]:
        """Take over from ``newer`` what may change while the server runs; returns all that differed."""
        changed = [each for each in declarations() if getattr(self, each.name) != getattr(newer, each.name)]
        for each in changed:
            if each.live:
                setattr(self, each.name, getattr(newer, each.name))
        return changed


def declarations() -> Iterator[Declaration]:
    """Every setting's declaration, in order."""
    for each in fields(Settings):
        yield Declaration(name=each.name, **each.metadata)
