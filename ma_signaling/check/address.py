"""Parsing the address of a signaling server as people write it. No I/O."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

_OWN_PORT = 8787
"""The default port of this server."""

_TLS_PORTS = {443, 8443}
_UNENCRYPTED_PORTS = {80, 8080, _OWN_PORT}
_LABEL = re.compile(r"[^\x00-\x20./:@]{1,63}")
_URL_CHARACTERS = "!$%&'()*+,-./:;=?@_~"
_EXAMPLE = "it must be an address such as wss://host/ws"


def websocket_urls(text: str) -> list[str]:
    """Return the WebSocket addresses to try, the likeliest first.

    ``https://host`` yields one. Without a scheme, port and host decide about TLS; if they are ambiguous, there are two.
    Raises ValueError for an invalid address.
    """
    text = text.strip()
    if ":/" in text.partition("?")[0]:
        return [_url(_split(text))]
    parts = _split(f"wss://{text}")
    if parts.port in _TLS_PORTS:
        return [_url(parts)]
    if parts.port in _UNENCRYPTED_PORTS:
        order = ["ws", "wss"]
    elif _is_local(str(parts.hostname)):
        order = ["ws", "wss"]
        if parts.port is None:
            parts = parts._replace(netloc=f"{parts.netloc}:{_OWN_PORT}")
    elif parts.port is None:
        order = ["wss"]
    else:
        order = ["wss", "ws"]
    return [_url(parts._replace(scheme=scheme)) for scheme in order]


def own_path(url: str) -> str:
    """Return the address with the path of this server's WebSockets, ``/ws``."""
    return urlunsplit(urlsplit(url)._replace(path="/ws", query=""))


def with_scheme(url: str, scheme: str) -> str:
    """Return the address with another scheme."""
    return urlunsplit(urlsplit(url)._replace(scheme=scheme))


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        raise ValueError(_EXAMPLE) from None
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss"):
        raise ValueError(_EXAMPLE)
    if "@" in parts.netloc:
        raise ValueError("it must be without user name and password: signaling servers have no login")
    if parts.netloc.count(":") > 1 and "[" not in parts.netloc:
        raise ValueError("an IPv6 address needs brackets, such as ws://[::1]:8787/ws")
    if not host:
        raise ValueError(_EXAMPLE)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("its port must be a number from 1 to 65535")
    netloc = _ascii_host(host) + (f":{port}" if port else "")
    return parts._replace(scheme=scheme, netloc=netloc, fragment="")


def _ascii_host(host: str) -> str:
    """Return a host for a URL: international names in ASCII, IPv6 addresses in brackets. Raises ValueError."""
    if ":" in host:
        return f"[{host}]"
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        name = ""
    if not all(map(_LABEL.fullmatch, name.removesuffix(".").split("."))):
        raise ValueError(f"{host!r} is not a host name")
    return name


def _url(parts: SplitResult) -> str:
    path = quote(parts.path, safe=_URL_CHARACTERS) if parts.path not in ("", "/") else "/ws"
    return urlunsplit(parts._replace(path=path, query=quote(parts.query, safe=_URL_CHARACTERS)))


def _is_local(host: str) -> bool:
    """Return whether a host is likely in a home network, where TLS is rare."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".home.arpa", ".internal", ".localhost"))
