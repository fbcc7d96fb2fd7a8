"""Explanations of failed WebSocket handshakes, with what to try. No I/O."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from ma_signaling.check.address import own_path, websocket_urls, with_scheme

_ERRNO = re.compile(r"\[Errno (-?\d+)\]")
_WORDS = {
    errno.ECONNREFUSED: "nobody listens there",
    errno.ECONNRESET: "it ends the connection at once",
    errno.EHOSTUNREACH: "there is no way to it from here",
    errno.ENETUNREACH: "there is no way to it from here",
    errno.ETIMEDOUT: "it does not answer",
}

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING")
"""OpenSSL's reasons if the other side doesn't speak TLS."""

_NO_PROXIED_WEBSOCKET = "the server does not see a WebSocket: a proxy before it may not let them through"
_LOGIN = "a login is asked for, which no signaling server does: is the address right?"
_NO_SERVER = "there is no signaling server at this path"
_ONLY_PROXY = "a proxy answers, but not the signaling server behind it"
_CLOUDFLARE = (520, 521, 522, 523, 524, 525, 526, 530)
_NETWORK_LOGIN = "Some networks ask for a login in a browser first"
_STATUSES = {
    400: _NO_PROXIED_WEBSOCKET,
    401: _LOGIN,
    403: "the server refuses this client",
    404: _NO_SERVER,
    405: _NO_SERVER,
    407: _LOGIN,
    410: _NO_SERVER,
    426: _NO_PROXIED_WEBSOCKET,
    429: "the server takes no more connections from here for now",
    502: _ONLY_PROXY,
    503: "the server takes nobody at the moment",
    504: _ONLY_PROXY,
    511: "this network asks for a login first: open any web page",
    **dict.fromkeys(_CLOUDFLARE, _ONLY_PROXY),
}
_NO_SUCH_PATH = (404, 405, 410)
_FOR_NOW = (429, 503)

TLS_RECORD = re.compile(rb"[\x14-\x17]\x03")
"""The start of an answer in TLS (RFC 8446 section 5.1)."""

_HTTP_2_FRAME = re.compile(rb"\x00\x00.[\x04\x07]\x00", re.DOTALL)
"""SETTINGS or GOAWAY, the first frame of a server that speaks only HTTP/2 (RFC 9113 sections 3.4 and 4.1)."""

MAX_SHOWN = 200
"""The most characters of an address that comes from a server."""


def explain(url: str, status: int, headers: Mapping[str, str]) -> str:
    """Return a sentence about an HTTP answer to a WebSocket handshake. ``headers`` has names in lower case."""
    if 300 <= status < 400 and status != 304:
        return _moved(url, status, headers.get("location", ""))
    if 200 <= status < 300:
        is_own = own_path(url) == url
        advice = f": is the address right? {_NETWORK_LOGIN}" if is_own else _try_own_path(url)
        return f"a web page is there, and no signaling server ({status}){advice}"
    advice = ""
    if status in _NO_SUCH_PATH:
        advice = _try_own_path(url)
    elif status in _FOR_NOW:
        advice = _wait(headers)
    elif status == 400 and url.startswith("ws:"):
        # nginx and others answer this at a port with TLS.
        advice = f"; or it wants TLS: try {with_scheme(url, 'wss')}"
    return f"{_STATUSES.get(status, 'the server answers with an error')} ({status}){advice}"


def explain_other_protocol(url: str, beginning: bytes) -> str:
    """Return a sentence about a server whose answer has this ``beginning``, which isn't HTTP."""
    if TLS_RECORD.match(beginning):
        return f"the server wants TLS at this port: try {with_scheme(url, 'wss')}"
    if not beginning:
        hint = "" if url.startswith("wss:") else f": if it wants TLS, try {with_scheme(url, 'wss')}"
        return f"the server ends the connection without a word{hint}"
    if _HTTP_2_FRAME.match(beginning):
        return "the server speaks HTTP/2 only: WebSockets need HTTP/1.1"
    return "something else answers at this port, no web server"


def explain_failure(url: str, problem: OSError) -> str:
    """Return a sentence about a connection that failed before any answer."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"the server's certificate is not good: {_certificate(problem)}"
    # asyncio's own error for an end within the TLS handshake has no errno.
    is_cut_off = isinstance(problem, ConnectionResetError) and url.startswith("wss:")
    if is_cut_off or (isinstance(problem, ssl.SSLError) and problem.reason in _NO_TLS):
        return f"the server does not speak TLS at this port: try {with_scheme(url, 'ws')}"
    if isinstance(problem, ssl.SSLError):
        reason = (problem.reason or "unknown").lower().replace("_", " ")
        return f"no encryption can be agreed upon with the server (TLS: {reason})"
    if isinstance(problem, socket.gaierror):
        if problem.errno == socket.EAI_AGAIN:
            return "the server cannot be reached: nobody tells its address (DNS); is this machine online?"
        return "the server cannot be reached: there is no such host"
    numbers = {problem.errno} if problem.errno else {int(each) for each in _ERRNO.findall(str(problem))}
    reasons = sorted({_WORDS.get(number, os.strerror(number)) for number in numbers}) or [str(problem)]
    return f"the server cannot be reached: {', '.join(reasons)}"


def _moved(url: str, status: int, location: str) -> str:
    page = urljoin(with_scheme(url, "https" if url.startswith("wss") else "http"), location)
    try:
        target = websocket_urls(page)[0] if location else ""
    except ValueError:
        target = ""
    if not target:
        return f"the server sends on to another address ({status}), and does not say a usable one"
    if target == url:
        hint = "the same address: its proxy does not let WebSockets through"
    elif urlsplit(page).path.rstrip("/").endswith("/ws"):
        hint = f"try {target}"
    else:
        where = page[:MAX_SHOWN]
        return (
            f"the server sends on to a web page ({status}): {where}: is the address right? {_NETWORK_LOGIN}"
        )
    return f"the server sends on to another address ({status}): {hint}"


def _try_own_path(url: str) -> str:
    own = own_path(url)
    return ": is the address right?" if own == url else f": try {own}"


def _wait(headers: Mapping[str, str]) -> str:
    seconds = headers.get("retry-after", "").strip()
    return f": try again in {seconds} s" if seconds.isascii() and seconds.isdigit() else ""


def _certificate(problem: ssl.SSLCertVerificationError) -> str:
    match problem.verify_code:
        case 9:
            return "it is not valid yet (or this machine's clock is wrong)"
        case 10:
            return "it has expired"
        case 18 | 19 | 20 | 21:
            return (
                "nobody whom this machine trusts has issued it (--ca FILE names who has, --insecure goes on)"
            )
        case 62 | 64:
            return "it is for another name"
    return problem.verify_message
