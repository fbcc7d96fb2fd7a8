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


def networks(text: str) -> tuple[Network, ...]:
    """Networks and addresses, separated by commas; empty only by the word ``none``."""
    if text.strip().lower() == "none":
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
