"""What a setting's value may be. Each parser takes text, and raises ValueError with what would do instead."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


def whole(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    """A parser of whole numbers, in digits only."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and low <= int(text) <= high:
            return int(text)
        raise ValueError(f"a whole number from {low} to {high}")

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers, but for infinite ones and those that are none."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if low <= value <= high:
            return value
        raise ValueError(f"a number from {low:g} to {high:g}")

    return parse


def choice(*values: str) -> Callable[[str], str]:
    """A parser that knows a few words."""

    def parse(text: str) -> str:
        if text in values:
            return text
        raise ValueError("one of: " + ", ".join(values))

    return parse


def port(text: str) -> str:
    """A port number, or what may be a Twisted endpoint: its plugins decide when it is listened on."""
    if text.isascii() and text.isdigit():
        if int(text) <= 65535:
            return text
    elif ":" in text:
        return text
    raise ValueError(
        "a port number from 0 to 65535, or a Twisted endpoint such as tcp:8787:interface=127.0.0.1"
    )


def port_or_none(text: str) -> str:
    """A port, or nothing."""
    return port(text) if text else ""


def networks(text: str) -> tuple[Network, ...]:
    """Networks and addresses, separated by commas, or ``none``."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8,fd00::/8, or none") from None


def header_name(text: str) -> str:
    """The name of an HTTP header, or nothing."""
    if re.fullmatch(r"[A-Za-z0-9-]*", text):
        return text
    raise ValueError("the name of a header")


def origins(text: str) -> tuple[str, ...]:
    """Origins of web pages (RFC 6454), in lower case; none are fine."""
    origins = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if all(re.fullmatch(r"https?://[^/]+", origin) for origin in origins):
        return origins
    raise ValueError("origins such as https://app.example.org, separated by commas")


def switch(text: str) -> bool:
    """on or off; a file says true or false."""
    return choice("on", "off", "true", "false")(text.lower()) in ("on", "true")


def nats_urls(text: str) -> tuple[str, ...]:
    """Addresses of NATS servers, separated by commas; no password in them, for they are shown."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if all(re.fullmatch(r"(?:nats|tls)://[A-Za-z0-9.\-\[\]:]+", url) for url in found):
        return found
    raise ValueError("nats://HOST:PORT or tls://HOST:PORT, separated by commas, without a user or a password")


def urls(*schemes: str) -> Callable[[str], tuple[str, ...]]:
    """URLs with one of these schemes, separated by commas; none at all is fine."""

    def parse(text: str) -> tuple[str, ...]:
        urls = tuple(part.strip() for part in text.split(",") if part.strip())
        if all(url.partition(":")[0] in schemes and url.partition(":")[2] for url in urls):
            return urls
        raise ValueError(f"URLs such as {schemes[0]}:relay.example.org:3478, separated by commas")

    return parse
