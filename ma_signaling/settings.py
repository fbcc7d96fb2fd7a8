"""Every setting, declared once: name, type, default, unit and a line of help.

A field of ``Settings`` is all there is to add: the command-line option (``--field-name``), the environment variable
(``MA_SIGNALING_FIELD_NAME``), validation and the table in the documentation follow from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NamedTuple

ENVIRONMENT_PREFIX = "MA_SIGNALING_"

Network = IPv4Network | IPv6Network


class SettingError(ValueError):
    """A setting with a value that will not do; the text names the setting, the value and what would do."""


class Declaration(NamedTuple):
    """What a field of ``Settings`` says about itself. ``parse`` raises ValueError with what would do instead."""

    name: str
    default: str
    unit: str
    help: str
    parse: Callable[[str], Any]
    repeatable: bool
    also: str | None

    @property
    def option(self) -> str:
        """The command-line option, without the leading dashes."""
        return self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()


def _setting(
    default: str,
    parse: Callable[[str], Any],
    help: str,
    *,
    unit: str = "",
    repeatable: bool = False,
    also: str | None = None,
) -> Any:
    value = parse(default)
    return field(
        default=(value,) if repeatable else value,
        metadata={
            "default": default,
            "unit": unit,
            "help": help,
            "parse": parse,
            "repeatable": repeatable,
            "also": also,
        },
    )


def _whole(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and low <= int(text) <= high:
            return int(text)
        raise ValueError(f"a whole number from {low} to {high}")

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if low <= value <= high:
            return value
        raise ValueError(f"a number from {low:g} to {high:g}")

    return parse


def _choice(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text in values:
            return text
        raise ValueError("one of: " + ", ".join(values))

    return parse


def _switch(text: str) -> bool:
    return _choice("on", "off")(text) == "on"


def _port(text: str) -> str:
    if text.isascii() and text.isdigit():
        if int(text) <= 65535:
            return text
    elif ":" in text:
        return text
    raise ValueError(
        "a port number from 0 to 65535, or a Twisted endpoint such as tcp:8787:interface=127.0.0.1"
    )


def _networks(text: str) -> tuple[Network, ...]:
    if text.strip().lower() == "none":
        return ()
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8,fd00::/8, or none") from None


def _header_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9-]*", text):
        return text
    raise ValueError("the name of a header")


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if all(re.fullmatch(r"https?://[^/]+", origin) for origin in origins):
        return origins
    raise ValueError("origins such as https://app.example.org, separated by commas")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What holds for one server. 0 switches a limit off."""

    port: tuple[str, ...] = _setting(
        "8787",
        _port,
        "Where to listen: a port on every address, or a Twisted endpoint; may be repeated",
        unit="port or endpoint",
        repeatable=True,
        also="PORT",
    )
    environment: str = _setting(
        "development",
        _choice("development", "production"),
        "What this server is used for, as the first line of its log says it",
        also="ENVIRONMENT",
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "127.0.0.0/8,::1/128",
        _networks,
        "Neighbours who are believed when they say whom they speak for",
        unit="networks, or none",
    )
    client_ip_header: str = _setting(
        "",
        _header_name,
        "By which header a trusted proxy says it, such as CF-Connecting-IP; empty: X-Forwarded-For, else Forwarded",
        unit="header name",
    )
    allowed_origins: tuple[str, ...] = _setting(
        "",
        _origins,
        "Web pages that may connect, such as https://app.example.org; empty: all; others than browsers always may",
        unit="origins",
    )
    max_connections: int = _setting(
        "0",
        _whole(0),
        "Open connections in all; 0: as many as the descriptor limit allows",
        unit="connections",
    )
    remembered_addresses: int = _setting(
        "50000",
        _whole(1),
        "Addresses, and Remote IDs, that limits and seniority remember; the oldest are forgotten first",
        unit="addresses",
    )
    state_file: str = _setting(
        "", str, "Where seniority is kept over a restart, as keyed hashes; empty: nowhere", unit="path"
    )
    log_addresses: str = _setting(
        "network", _choice("full", "network", "none"), "How client addresses appear in the log"
    )
    log_format: str = _setting(
        "auto",
        _choice("auto", "text", "json"),
        "Lines to read, or a JSON object each; auto: JSON in production",
    )
    metrics_allow: tuple[Network, ...] = _setting(
        "none",
        _networks,
        "Who may ask for /metrics besides this machine",
        unit="networks, or none",
    )
    connections_per_minute: int = _setting(
        "100", _whole(0), "New connections of one address within a minute", unit="connections"
    )
    connections_per_address: int = _setting(
        "100", _whole(0), "Open connections of one address", unit="connections"
    )
    lookups_per_minute: int = _setting(
        "100", _whole(0), "Remote IDs that one address may ask for within a minute", unit="lookups"
    )
    guesses_per_minute: int = _setting(
        "10",
        _whole(0),
        "Distinct unknown Remote IDs within a minute that block an address's lookups",
        unit="Remote IDs",
    )
    message_rate: float = _setting(
        "20", _number(0, 1e6), "Messages of one session in one direction", unit="messages a second"
    )
    message_burst: int = _setting("200", _whole(0), "How many of them may come at once", unit="messages")
    message_bytes_rate: float = _setting(
        "65536", _number(0, 1e9), "Bytes of one session in one direction", unit="bytes a second"
    )
    message_bytes_burst: int = _setting(
        "524288", _whole(0), "How many of them may come at once", unit="bytes"
    )
    control_rate: float = _setting(
        "5", _number(0, 1e6), "All other messages of one connection", unit="messages a second"
    )
    control_burst: int = _setting("50", _whole(0), "How many of them may come at once", unit="messages")
    home_sessions_per_minute: int = _setting(
        "30", _whole(0), "New sessions of one home within a minute", unit="sessions"
    )
    home_sessions: int = _setting("64", _whole(0), "Open sessions of one home", unit="sessions")
    session_stories: int = _setting(
        "10000",
        _whole(0),
        "Sessions whose story is remembered, until ten minutes after their end; 0: none",
        unit="sessions",
    )
    max_message_bytes: int = _setting("65536", _whole(1024), "Largest message that is accepted", unit="bytes")
    send_buffer_bytes: int = _setting(
        "1048576", _whole(65536), "What may wait for one peer before it is cut off", unit="bytes"
    )
    ready_timeout: float = _setting(
        "10",
        _number(0.1, 25),
        "How long a home may take to say session-ready before its client is told all the same",
        unit="seconds",
    )
    takeover_timeout: float = _setting(
        "5",
        _number(0.1, 60),
        "How long a home may take to prove that it lives when another asks for its Remote ID",
        unit="seconds",
    )
    ping_interval: float = _setting(
        "30",
        _number(0.1, 3600),
        "Time between pings; a peer that leaves one unanswered until the next is dropped",
        unit="seconds",
    )
    grace: float = _setting(
        "45", _number(0, 3600), "How long a lost home's sessions wait for its return", unit="seconds"
    )
    park: float = _setting(
        "20", _number(0, 25), "How long a request waits for a lost home's return", unit="seconds"
    )
    short_path: bool = _setting(
        "on",
        _switch,
        "Whether usual messages and handshakes take a short way through Autobahn; off if you suspect a fault in it",
        unit="on or off",
    )
    drain_seconds: float = _setting(
        "30",
        _number(0, 3600),
        "Over how long thousands of peers are closed when this server stops; a handful goes at once",
        unit="seconds",
    )


def declarations() -> Iterator[Declaration]:
    """Every setting's declaration, in order."""
    for each in fields(Settings):
        yield Declaration(name=each.name, **each.metadata)


def load(options: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Settings:
    """The settings of ``options`` (by field name, from the command line), then ``environment``, then the defaults.

    Raises ``SettingError`` for the first value that will not do.
    """
    values: dict[str, Any] = {}
    for setting in declarations():
        source, texts = _texts(setting, options, environment)
        if not texts:
            continue
        parsed = []
        for text in texts:
            try:
                parsed.append(setting.parse(text.strip()))
            except ValueError as problem:
                raise SettingError(f"{source}: {text!r} will not do, it must be {problem}") from None
        values[setting.name] = tuple(parsed) if setting.repeatable else parsed[-1]
    return Settings(**values)


def _texts(
    setting: Declaration, options: Mapping[str, Sequence[str]], environment: Mapping[str, str]
) -> tuple[str, Sequence[str]]:
    """Where a setting's value comes from, as a person would name the place, and its texts (none: the default)."""
    if options.get(setting.name):
        return f"--{setting.option}", options[setting.name]
    for variable in filter(None, (setting.variable, setting.also)):
        if environment.get(variable):
            text = environment[variable]
            return variable, text.split() if setting.repeatable else [text]
    return setting.option, []
