"""HTTP requests over a data channel, and their answers. No I/O.

A request is ``{"type": "http-proxy-request", "id": S, "method": S, "path": S, "headers": {…}}``. On ``ma-api`` the
answer is one JSON message with the body in hexadecimal; on ``http_proxy`` it is a header with the body's ``size``,
followed by the body in binary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

_METHODS = ("GET", "HEAD")
"""All that clients use, for pictures and previews."""

_PATH = re.compile(r"/(?!/)[!-\[\]-~]{0,8191}", re.ASCII)
"""A path and a query of printable ASCII, without a backslash; a leading ``//`` would name another host."""

_FROM_CLIENT = ("accept", "accept-language", "authorization", "if-modified-since", "if-none-match", "range")
"""Headers that are passed on. None by which Music Assistant trusts a proxy, or a user whom a proxy vouches for."""

_TO_CLIENT = (
    *("content-type", "content-range", "accept-ranges", "cache-control", "etag", "last-modified", "expires"),
    *("location", "retry-after", "content-disposition"),
)


class Malformed(Exception):
    """Raised for an invalid request; ``id`` is the request's, if it has one."""

    def __init__(self, number: object) -> None:
        super().__init__()
        self.id = number


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A valid request, for the configured host."""

    id: str
    method: str
    path: str
    """The path with its query, as it is sent; begins with one slash."""
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
    """The answer of Music Assistant, or this program's own, without the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def alone(self, number: object, size: int) -> str:
        """Return the header message, which announces a body of ``size`` bytes."""
        return _dump(number, self, size=size)

    def around(self, number: object) -> tuple[bytes, bytes]:
        """Return what precedes and follows the body in a message that contains it, as the last key."""
        text = _dump(number, self, body="").encode()
        return text[:-2], text[-2:]


def is_local(path: str) -> bool:
    """Return whether ``path`` is a valid path that names no other host and no parent directory."""
    if not _PATH.fullmatch(path):
        return False
    plain = unquote_to_bytes(path.partition("?")[0].partition("#")[0])
    return b"\\" not in plain and not any(part in (b".", b"..") for part in plain.split(b"/"))


def for_client(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an answer that the client may use: no cookies, nothing about the transfer."""
    return {name.lower(): _as_text(value) for name, value in headers.items() if name.lower() in _TO_CLIENT}


def _as_text(value: str) -> str:
    """Return a value for JSON. aiohttp has invalid UTF-8 as surrogates; such a value is decoded as ISO 8859-1."""
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
