"""HTTP requests that come over a data channel, and the answers to them. No I/O.

A request is ``{"type": "http-proxy-request", "id": S, "method": S, "path": S, "headers": {…}}``. Over ``ma-api`` the
answer is one JSON message with the body in hexadecimal digits; over ``http_proxy`` a header with the body's ``size``,
and then the body as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

_METHODS = ("GET", "HEAD")
"""All that clients use: pictures and previews."""

_PATH = re.compile(r"/(?!/)[!-\[\]-~]{0,8191}", re.ASCII)
"""A path and a query of visible ASCII, without a backslash; ``//`` in front would name another host."""

_FROM_CLIENT = ("accept", "accept-language", "authorization", "if-modified-since", "if-none-match", "range")
"""Headers that are passed on. None by which Music Assistant knows a trusted proxy, or whom such a proxy vouches for."""

_TO_CLIENT = (
    *("content-type", "content-range", "accept-ranges", "cache-control", "etag", "last-modified", "expires"),
    *("location", "retry-after", "content-disposition"),
)


class Malformed(Exception):
    """A request that is refused; ``id`` is its own where it has one."""

    def __init__(self, number: object) -> None:
        super().__init__()
        self.id = number


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A request that may be made, of the configured host alone."""

    id: str
    method: str
    path: str
    """With its query, as it is sent; begins with one slash."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, message: Mapping[str, Any]) -> ProxyRequest:
        """Return the request in a message. Raises ``Malformed``."""
        number, method, path = message.get("id"), message.get("method", "GET"), message.get("path")
        headers = message.get("headers") or {}
        if not (isinstance(number, str) and len(number) <= 256):
            raise Malformed(None)
        if method not in _METHODS or not (isinstance(path, str) and is_local(path)):
            raise Malformed(number)
        return cls(number, method, path, dict(_allowed(headers)) if isinstance(headers, dict) else {})


@dataclass(frozen=True, slots=True)
class ProxyHead:
    """What Music Assistant answered, or this program in its place, but for the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def alone(self, number: object, size: int) -> str:
        """Return the message that announces a body of ``size`` bytes."""
        return _dump(number, self, size=size)

    def around(self, number: object) -> tuple[bytes, bytes]:
        """Return what comes before and after the body in the one message that has it. Clients read it last."""
        text = _dump(number, self, body="").encode()
        return text[:-2], text[-2:]


def is_local(path: str) -> bool:
    """Return whether ``path`` stays below the root of the host that it is asked of."""
    if not _PATH.fullmatch(path):
        return False
    plain = unquote_to_bytes(path.partition("?")[0].partition("#")[0])
    return b"\\" not in plain and not any(part in (b".", b"..") for part in plain.split(b"/"))


def for_client(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an answer that mean something to the client: no cookies, nothing about the transfer."""
    return {name.lower(): _as_text(value) for name, value in headers.items() if name.lower() in _TO_CLIENT}


def _as_text(value: str) -> str:
    """Return a value as JSON can carry it: aiohttp leaves bytes that are no UTF-8 as surrogates (ISO 8859-1 then)."""
    raw = value.encode(errors="surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _allowed(headers: Mapping[Any, Any]) -> list[tuple[str, str]]:
    return [
        (name.lower(), value)
        for name, value in headers.items()
        if isinstance(name, str)
        and name.lower() in _FROM_CLIENT
        and isinstance(value, str)
        and len(value) <= 4096
        and value.isprintable()
    ]


def _dump(number: object, head: ProxyHead, **last: object) -> str:
    first = {
        "type": "http-proxy-response",
        "id": number,
        "status": head.status,
        "headers": dict(head.headers),
    }
    return orjson.dumps({**first, **last}).decode()
