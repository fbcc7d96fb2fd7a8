"""The opening handshake of a WebSocket (RFC 6455 section 4.2).

Offers of extensions and subprotocols are ignored: this server accepts none, and an offer is no reason to refuse
(RFC 6455 sections 9.1 and 11.3.2, RFC 7692 section 5.1).
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1

from ma_signaling.transport.http_reply import Refusal
from ma_signaling.transport.request_head import RequestHead

_VERSION = b"13"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n"
    b"\r\n"
)

_HTTP_1_0 = (
    "Expected WebSocket, which takes HTTP/1.1: a proxy in front must use it, and pass on Upgrade and Connection"
    " (nginx: proxy_http_version 1.1)"
)


def refusal(head: RequestHead) -> Refusal | None:
    """Return the refusal of a request for a WebSocket path, None if it is a valid handshake."""
    if head.minor_version == 0:
        # Upgrade must be ignored in HTTP/1.0 (RFC 9110 section 7.8).
        return _upgrade_required(_HTTP_1_0)
    if head.method != b"GET" or not (
        head.lists(b"upgrade", b"websocket") and head.lists(b"connection", b"upgrade")
    ):
        return _upgrade_required("Expected WebSocket")
    versions = head.header(b"sec-websocket-version")
    if len(versions) > 1 or any(version and not version.isdigit() for version in versions):
        return _bad_handshake("Sec-WebSocket-Version")
    if not versions or versions[0] != _VERSION:
        return _upgrade_required("Expected WebSocket version 13")
    keys = head.header(b"sec-websocket-key")
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        return _bad_handshake("Sec-WebSocket-Key")
    return None


def acceptance(head: RequestHead) -> bytes:
    """Return the reply to the valid handshake in ``head``, which opens the WebSocket."""
    key = head.header(b"sec-websocket-key")[0]
    return _ACCEPTED % b64encode(sha1(key + _KEY_SUFFIX).digest())  # noqa: S324 - RFC 6455 wants SHA-1


def _upgrade_required(error: str) -> Refusal:
    """Return a 426, which must say what to upgrade to (RFC 9110 section 15.5.22), and in which version."""
    headers = {
        b"Upgrade": b"websocket",
        b"Connection": b"Upgrade, close",
        b"Sec-WebSocket-Version": _VERSION,
    }
    return Refusal(426, {"error": error}, headers)


def _bad_handshake(field: str) -> Refusal:
    return Refusal(400, {"error": f"Bad WebSocket handshake: {field}"}, {})
