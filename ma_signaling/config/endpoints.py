"""Parsing where to listen: a port number, or the description of a Twisted endpoint."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nobody listens here
"""How an endpoint names all addresses of this machine, each with one such address."""


class Endpoint(NamedTuple):
    """The parts of a description, such as ``haproxy:tcp:8787:interface=10.0.0.1``."""

    kind: str
    """``tcp``, ``ssl``, ``unix``, ``systemd`` or another; for ``haproxy:…`` that of the wrapped endpoint."""
    is_proxied: bool
    """Whether each connection must begin with a PROXY header."""
    arguments: Sequence[str]
    named: Mapping[str, str]

    @property
    def port(self) -> int | None:
        """The TCP port, None if there is none."""
        return int(self.number) if self.kind in ("tcp", "ssl") and self.number.isdecimal() else None

    @property
    def number(self) -> str:
        """The text for the TCP port, valid or not."""
        return self.named.get("port", self.arguments[0] if self.arguments else "")

    @property
    def interface(self) -> str:
        """The address that a TCP port listens on, empty for all."""
        return self.named.get(
            "interface", self.arguments[1] if self.kind == "tcp" and self.arguments[1:] else ""
        )

    @property
    def host(self) -> str:
        """An address of this machine at which the TCP port is reached."""
        return EVERYWHERE.get(self.interface, self.interface)

    @property
    def path(self) -> str | None:
        """The path of a Unix socket, None for another endpoint."""
        path = self.named.get("address", self.arguments[0] if self.arguments else "")
        return path if self.kind == "unix" and path else None

    def excludes(self, other: Endpoint) -> bool:
        """Return whether nobody can listen on both."""
        if self.path is not None:
            return other.path is not None and _absolute(self.path) == _absolute(other.path)
        is_everywhere = any(each.interface in EVERYWHERE for each in (self, other))
        return bool(self.port) and self.port == other.port and (is_everywhere or self.host == other.host)


def parse_endpoint(text: str) -> Endpoint:
    """Return the parts of ``text``. Whether Twisted accepts them isn't checked."""
    if text.isdecimal():
        return Endpoint("tcp", False, [text], {})
    kind, *pieces = _split(text, ":")
    is_proxied = kind == "haproxy"
    if is_proxied:
        kind, *pieces = pieces or [""]
    arguments, named = [], {}
    for piece in pieces:
        name, *values = map(_unescaped, _split(piece, "="))
        if values:
            named[name] = "=".join(values)
        else:
            arguments.append(name)
    return Endpoint(_unescaped(kind), is_proxied, arguments, named)


def _split(text: str, separator: str) -> list[str]:
    """Split ``text`` at separators that aren't escaped; escapes are kept."""
    parts, begun = [], 0
    for match in re.finditer(rf"\\.|{separator}", text, re.DOTALL):
        if match[0] == separator:
            parts.append(text[begun : match.start()])
            begun = match.end()
    return [*parts, text[begun:]]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _absolute(path: str) -> str:
    # Unlike ``Path.resolve``, without access to the file system.
    return os.path.abspath(path)  # noqa: PTH100
