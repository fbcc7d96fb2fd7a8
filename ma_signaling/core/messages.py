"""Parse and serialise signaling messages: JSON objects with a string ``type``. No I/O.

A forwarded message keeps its own bytes wherever possible, so that what a peer wrote reaches the other side as the same
JSON value, numbers of any size included.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from ma_signaling.core.errors import BAD_MESSAGE, Refused, WireError

Message = dict[str, Any]

BACKSLASH = ord("\\")

PING = b'{"type":"ping"}'
PONG = b'{"type":"pong"}'
PEER_DISCONNECTED = b'{"type":"peer-disconnected"}'


def parse(payload: bytes) -> Message:
    """Return the message in ``payload`` (UTF-8). Raises ``Refused(BAD_MESSAGE)`` for all but an object with a type."""
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise Refused(BAD_MESSAGE) from None
    if type(message) is not dict or type(message.get("type")) is not str:
        raise Refused(BAD_MESSAGE)
    return message


def ice_servers(message: Message) -> bytes | None:
    """Return the list under ``iceServers`` as JSON, None where there is no list.

    Raises ``Refused(BAD_MESSAGE)`` for a list nested too deeply to be written again.
    """
    value = message.get("iceServers")
    if not isinstance(value, list):
        return None
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise Refused(BAD_MESSAGE) from None


def with_session_id(message: Message, payload: bytes, session_id: str) -> bytes:
    """Return ``payload`` with its top-level ``sessionId`` set to ``session_id``, every other key kept.

    Clients write their own ID or none, and both keep the sender's bytes; only another value costs a new encoding.
    Raises ``Refused(BAD_MESSAGE)`` where that encoding would not be the same JSON (a number beyond a double).
    """
    if "sessionId" not in message:
        return payload.rstrip(b" \t\r\n")[:-1] + b',"sessionId":"%b"}' % session_id.encode()
    # The key occurs once, also where it is written with escapes: another parser might prefer the first of two. Hardly
    # any message has a backslash, and one byte is found ten times as fast as two.
    if (
        message["sessionId"] == session_id
        and payload.count(b'"sessionId"') == 1
        and (BACKSLASH not in payload or b"\\u" not in payload)
    ):
        return payload
    try:
        faithful = json.loads(payload)
        faithful["sessionId"] = session_id
        return json.dumps(faithful, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise Refused(BAD_MESSAGE) from None


def error(failure: WireError) -> bytes:
    """Return the ``error`` message for ``failure``."""
    message: Message = {"type": "error", "error": failure.text, "code": failure.code}
    if failure.retry_after is not None:
        message["retryAfter"] = failure.retry_after
    return orjson.dumps(message)


def registered(remote_id: str) -> bytes:
    """Return the answer to a granted ``register-server``."""
    return orjson.dumps({"type": "registered", "remoteId": remote_id})


def client_connected(session_id: str) -> bytes:
    """Return the announcement of a session to its home."""
    return orjson.dumps({"type": "client-connected", "sessionId": session_id})


def offer(session_id: str, data: dict[str, object]) -> bytes:
    """Our own offer, in a session that asks for proof of possession."""
    return orjson.dumps({"type": "offer", "sessionId": session_id, "data": data})


def client_disconnected(session_id: str) -> bytes:
    """Return what a home is told when a session's client has left."""
    return orjson.dumps({"type": "client-disconnected", "sessionId": session_id})


def connected(remote_id: str, session_id: str, ice: bytes | None) -> bytes:
    """Return the answer to a granted ``connect-request``; ``ice`` is a JSON list or None."""
    message: Message = {"type": "connected", "remoteId": remote_id, "sessionId": session_id}
    if ice is not None:
        message["iceServers"] = orjson.Fragment(ice)
    return orjson.dumps(message)
