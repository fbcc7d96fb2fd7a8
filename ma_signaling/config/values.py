"""Parsers of settings' values. Each takes text; its ValueError says what is expected ("a number …")."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

Network = IPv4Network | IPv6Network

MAX_DIGITS = 20
"""More than any number here has. Python itself refuses thousands of digits, with an error of its own."""

MAX_WHOLE = 2**31 - 1
MAX_NUMBER = 1e9
"""More than makes sense for any setting; one with another bound says so."""

INSIDE_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and clouds' metadata
        "172.16.0.0/12",  # private
        "192.168.0.0/16",  # private
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
"""Networks whose addresses aren't used on the Internet."""

_SERVER = re.compile(r"(?:[\w.-]+|\[([\da-fA-F:.]+)\])(?::(\d{1,5}))?", re.ASCII)
"""A host, by name or address, with or without a port."""


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


class Whole:
    """A parser of whole numbers, in ASCII digits."""

    def __init__(self, low: int, high: int = MAX_WHOLE) -> None:
        self.low = low
        self.high = high

    def __call__(self, text: str) -> int:
        if _is_whole(text) and self.low <= int(text) <= self.high:
            return int(text)
        raise ValueError(f"a whole number from {self.low} to {self.high}")


class Number:
    """A parser of finite numbers."""

    def __init__(self, low: float, high: float = MAX_NUMBER) -> None:
        self.low = low
        self.high = high

    def __call__(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if self.low <= value <= self.high:
            return value
        raise ValueError(f"a number from {self.low:g} to {self.high:g}")


def range_of(parse: Callable[[str], Any]) -> str:
    """Return the range of a number parser in words, "" for other parsers or if there is no special bound."""
    if not isinstance(parse, Whole | Number):
        return ""
    if parse.high not in (MAX_WHOLE, MAX_NUMBER):
        return f"{parse.low:g} to {parse.high:g}"
    return f"at least {parse.low}" if parse.low else ""


def choice(*values: str) -> Callable[[str], str]:
    """Return a parser that accepts these values only."""

    def parse(text: str) -> str:
        if text in values:
            return text
        raise ValueError("one of: " + ", ".join(values))

    return parse


def switch(text: str) -> bool:
    """Parse ``on`` or ``off``, or ``true`` or ``false`` as in a file."""
    if text.lower() in ("on", "true"):
        return True
    if text.lower() in ("off", "false"):
        return False
    raise ValueError("on or off")


def port(text: str) -> str:
    """Parse a port number or a Twisted endpoint, which only Twisted checks, when it listens."""
    if _is_whole(text):
        if int(text) <= 65535:
            return text
    elif ":" in text:
        return text
    raise ValueError(
        "a port number from 0 to 65535, or a Twisted endpoint such as tcp:8787:interface=127.0.0.1"
    )


def port_or_none(text: str) -> str:
    """Parse a port, or an empty text."""
    return port(text) if text else ""


def port_unless_none(text: str) -> str:
    """Parse a port, or ``none``."""
    return "" if text.lower() in ("", "none") else port(text)


def host_names(text: str) -> tuple[str, ...]:
    """Parse host names, separated by commas; return them in lower case, each once."""
    found = tuple(dict.fromkeys(name.lower().rstrip(".") for name in _parts(text)))
    label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    if all(re.fullmatch(rf"(?:{label}\.)*[a-z]{label[8:]}", name) and len(name) <= 253 for name in found):
        return found
    raise ValueError(
        "a list of host names such as signaling.example.org, separated by commas, without addresses or wildcards"
    )


def https_url(text: str) -> str:
    """Parse an https URL."""
    parts = re.fullmatch(r"https://([^/]+)(?:/\S*)?", text)
    if parts is not None and _is_server(parts[1]):
        return text
    raise ValueError("a URL that begins with https://")


def networks(text: str) -> tuple[Network, ...]:
    """Parse networks and addresses, separated by commas, or ``none``."""
    if text.lower() in ("", "none"):
        return ()
    try:
        return tuple(parse_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise ValueError("a list of networks such as 10.0.0.0/8,fd00::/8, or none") from None


def parse_network(text: str) -> Network:
    """Parse a network or an address. Raises ValueError.

    An IPv4-mapped one becomes the IPv4 one, since clients with such addresses are known by the IPv4 address.
    """
    found = ip_network(text)
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    if mapped is not None and found.prefixlen >= 96:
        return IPv4Network((int(mapped), found.prefixlen - 96))
    return found


def public_ipv4_or_none(text: str) -> str:
    """Parse a public IPv4 address, or an empty text."""
    if not text:
        return ""
    with suppress(ValueError):
        address = IPv4Address(text)
        if not any(address in network for network in INSIDE_IPV4):
            return str(address)
    raise ValueError("a public IPv4 address such as 198.51.100.7")


def header_name(text: str) -> str:
    """Parse the name of an HTTP header, or an empty text."""
    if re.fullmatch(r"[A-Za-z0-9-]*", text):
        return text
    raise ValueError("the name of an HTTP header")


def origins(text: str) -> tuple[str, ...]:
    """Parse origins of web pages, separated by commas; return them as browsers send them (RFC 6454, section 6.2).

    That is in lower case, and without the port that the scheme has by default.
    """
    found = tuple(
        re.sub(r"^(http:.*):80$|^(https:.*):443$", r"\1\2", origin.lower()) for origin in _parts(text)
    )
    if all(re.match("https?://", url) and _is_server(url.partition("://")[2]) for url in found):
        return found
    raise ValueError("a list of origins such as https://app.example.org, separated by commas")


def nats_urls(text: str) -> tuple[str, ...]:
    """Parse URLs of NATS servers, separated by commas. A password in one is refused, since settings are printed."""
    found = _parts(text)
    if all(url.startswith(("nats://", "tls://")) and _is_server(url.partition("://")[2]) for url in found):
        return found
    raise ValueError(
        "a list of URLs such as nats://HOST:PORT or tls://HOST:PORT, separated by commas, without a user or a password"
    )


def ice_urls(*schemes: str, queries: Container[str] = ()) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of URLs of ICE servers (RFC 7064, RFC 7065), separated by commas.

    With any invalid URL, browsers make no connection at all.
    """

    def parse(text: str) -> tuple[str, ...]:
        found = _parts(text)
        if all(is_ice_url(url, *schemes, queries=queries) for url in found):
            return found
        raise ValueError(f"a list of URLs such as {schemes[0]}:relay.example.org:3478, separated by commas")

    return parse


def is_ice_url(text: str, *schemes: str, queries: Container[str] = ()) -> bool:
    """Return whether ``text`` is the URL of one ICE server."""
    scheme, _, rest = text.partition(":")
    server, mark, query = rest.partition("?")
    return scheme in schemes and _is_server(server) and (not mark or query.lower() in queries)


def _is_server(text: str) -> bool:
    found = _SERVER.fullmatch(text)
    if found is None or not 0 < int(found[2] or 1) < 65536:
        return False
    with suppress(ValueError):
        return found[1] is None or bool(IPv6Address(found[1]))
    return False


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
