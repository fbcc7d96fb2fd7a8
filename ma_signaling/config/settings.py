"""Every setting, declared once: name, type, default, unit and a line of help.

To add a setting, add a field to ``Settings``, or to ``ListenSettings`` or ``LimitSettings``. Its command-line option
(``--field-name``), its environment variable (``MA_SIGNALING_FIELD_NAME``), its key in a file, its validation and its
entry in docs/settings.md follow from that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields

from ma_signaling.config import values
from ma_signaling.config.declaration import Declaration, setting
from ma_signaling.config.limit_settings import LimitSettings
from ma_signaling.config.listen_settings import ListenSettings
from ma_signaling.config.values import Network


@dataclass(kw_only=True)
class Settings(LimitSettings, ListenSettings):
    """The settings of one server.

    All parts of a server share one instance and read a value when they need it, so ``adopt`` reaches them all.
    """

    trusted_proxies: tuple[Network, ...] = setting(
        "127.0.0.0/8,::1/128",
        values.networks,
        "Proxies whose forwarding headers are trusted",
        unit="networks, or none",
        live=True,
    )
    client_ip_header: str = setting(
        "",
        values.header_name,
        "Header with the client address, such as CF-Connecting-IP; empty: X-Forwarded-For, else Forwarded",
        unit="header name",
        live=True,
    )
    allowed_origins: tuple[str, ...] = setting(
        "",
        values.origins,
        "Origins of web pages that may connect, such as https://app.example.org; empty: all",
        unit="origins",
        live=True,
    )
    web_app: bool = setting(
        "off",
        values.switch,
        "Serve Music Assistant's web app at /app/, for homes registered at this server; needs the extra web-app",
        unit="on or off",
    )
    allow_remote_ids: str = setting(
        "",
        str,
        "File with the only Remote IDs that may be registered, one per line; empty: any",
        unit="path",
        live=True,
    )
    deny: str = setting(
        "", str, "File with banned addresses, networks and Remote IDs, one per line", unit="path", live=True
    )
    exempt: tuple[Network, ...] = setting(
        "none",
        values.networks,
        "Networks whose connections, requests and lookups limits don't count, such as your own monitoring",
        unit="networks, or none",
        live=True,
    )
    log_addresses: str = setting(
        "network",
        values.choice("full", "network", "none"),
        "How the log shows client addresses",
        unit="full, network or none",
    )
    log_format: str = setting(
        "text", values.choice("text", "json"), "Format of the log's lines", unit="text or json"
    )
    metrics_port: str = setting(
        "",
        values.port_or_none,
        "Separate port for /metrics, on the loopback interface, or an endpoint such as unix:/run/ma-signaling/metrics",
        unit="port or endpoint",
    )
    metrics_allow: tuple[Network, ...] = setting(
        "none",
        values.networks,
        "Networks that may read /metrics on the main port; none: nobody",
        unit="networks, or none",
        live=True,
    )
    admin_socket: str = setting(
        "",
        str,
        "Unix socket for ma-signaling admin, accessible only to its owner; empty: none",
        unit="path",
    )
    ready_timeout: float = setting(
        "10",
        values.Number(0.1, 25),
        "How long to wait for session-ready before the client is sent connected without it",
        unit="seconds",
        live=True,
    )
    takeover_timeout: float = setting(
        "5",
        values.Number(0.1, 60),
        "How long a probed home may take to answer when another connection registers its Remote ID",
        unit="seconds",
        live=True,
    )
    ping_interval: float = setting(
        "30",
        values.Number(0.1, 3600),
        "Time between pings; a peer that has not answered one when the next is due is dropped",
        unit="seconds",
    )
    grace: float = setting(
        "45",
        values.Number(0, 3600),
        "Grace time: how long the sessions of a lost home wait for its return",
        unit="seconds",
        live=True,
    )
    start_grace: float = setting(
        "75",
        values.Number(0, 3600),
        "Time after a start in which a connect-request for an unregistered home waits for it; 0: none",
        unit="seconds",
    )
    park: float = setting(
        "20",
        values.Number(0, 25),
        "How long a connect-request waits for the return of a lost home",
        unit="seconds",
        live=True,
    )
    proof: str = setting(
        "auto",
        values.choice("auto", "relay", "off"),
        "Ask contenders for a Remote ID to prove over UDP that they have its key; relay: only through --turn-urls",
        unit="auto, relay or off",
        live=True,
    )
    proofs_per_minute: int = setting(
        "120",
        values.Whole(0),
        "Proofs of possession that this server asks for within a minute",
        unit="proofs",
        live=True,
    )
    proof_networks: tuple[Network, ...] = setting(
        "none",
        values.networks,
        "Networks besides the Internet that a proof may use: for its packets, and for the addresses in its offer",
        unit="networks, or none",
        live=True,
    )
    proof_address: str = setting(
        "",
        values.public_ipv4_or_none,
        "Public IPv4 address to offer in proofs, if a NAT maps it to this machine without changing ports",
        unit="IPv4 address",
        live=True,
    )
    nats_url: tuple[str, ...] = setting(
        "",
        values.nats_urls,
        "NATS servers that connect this node to its cluster, such as nats://10.0.0.1:4222; empty: no cluster",
        unit="URLs",
    )
    nats_credentials: str = setting("", str, "NATS credentials file (.creds) of this node", unit="path")
    nats_token_file: str = setting("", str, "File with the NATS token of this node", unit="path")
    nats_ca: str = setting(
        "",
        str,
        "CA certificates to check the NATS servers' certificates against, PEM; empty: the system's",
        unit="path",
    )
    fast_path: bool = setting(
        "on",
        values.switch,
        "Handle usual messages on the fast path; off: Autobahn handles all of them",
        unit="on or off",
    )
    stun_urls: tuple[str, ...] = setting(
        "",
        values.ice_urls("stun", "stuns"),
        "STUN servers offered in sessions whose home names none",
        unit="URLs",
        live=True,
    )
    turn_urls: tuple[str, ...] = setting(
        "",
        values.ice_urls("turn", "turns", queries=("transport=udp", "transport=tcp")),
        "TURN servers offered in accepted sessions, after those of the home",
        unit="URLs",
        live=True,
    )
    turn_secret_file: str = setting(
        "",
        str,
        "File with the secret shared with the TURN servers (coturn's static-auth-secret)",
        unit="path",
    )
    turn_ttl: int = setting(
        "3600",
        values.Whole(60),
        "How long TURN credentials are valid for a new allocation",
        unit="seconds",
        live=True,
    )
    turn_per_home: int = setting(
        "60",
        values.Whole(0),
        "TURN credentials for the sessions of one home within an hour",
        unit="sessions",
        live=True,
    )
    turn_per_address: int = setting(
        "20",
        values.Whole(0),
        "TURN credentials for one client address within an hour",
        unit="sessions",
        live=True,
    )
    turn_total: int = setting(
        "5000", values.Whole(0), "TURN credentials in total within an hour", unit="sessions", live=True
    )
    drain_seconds: float = setting(
        "30",
        values.Number(0, 3600),
        "Time over which thousands of peers are closed when this server stops; a few dozen are closed immediately",
        unit="seconds",
        live=True,
    )

    def adopt(self, newer: Settings) -> list[Declaration]:
        """Take the live settings from ``newer``; return the declaration of every setting that differs."""
        changed = [each for each in declarations() if getattr(self, each.name) != getattr(newer, each.name)]
        for each in changed:
            if each.live:
                setattr(self, each.name, getattr(newer, each.name))
        return changed

    def endpoints(self) -> list[str]:
        """Return everything that a server listens on: port numbers and descriptions of endpoints."""
        redirect = self.acme_http_port if self.acme_domain else ""
        # The same as Twisted's ``quoteStringArgument``.
        admin = self.admin_socket and "unix:address=" + re.sub(r"([\\:])", r"\\\1", self.admin_socket)
        return [*self.port, *self.http_port, *filter(None, (self.metrics_port, redirect, admin))]


def declarations() -> Iterator[Declaration]:
    """Yield the declaration of every setting: where to listen first, the limits last."""
    limits = {each.name for each in fields(LimitSettings)}
    for each in sorted(fields(Settings), key=lambda each: each.name in limits):
        yield Declaration(name=each.name, **each.metadata)
