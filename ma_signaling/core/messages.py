"""Parse and serialise signaling messages: JSON objects with a string ``type``. No I/O.

A forwarded message keeps its own bytes wherever possible, so that what a peer wrote reaches the other side as the same
JSON value, numbers of any size included.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from ma_signaling.core.errors import BAD_MESSAGE, Refused, WireError

Message = dict[str, Any]

MAX_DEPTH = 64
"""How deep arrays and objects may be nested, the message itself included: clients' parsers have limits, too."""

_FLAT_BYTES = 4 * MAX_DEPTH
"""Without arrays, no level that begins within so many bytes is too deep: each takes at least four, as in ``{"":``."""

# Integers, for speed: searching bytes for an integer is several times as fast as for bytes of length 1.
BACKSLASH, BRACKET, OPENING = b"\\[{"

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")

_loads, _dumps = orjson.loads, orjson.dumps

PING = b'{"type":"ping"}'
PONG = b'{"type":"pong"}'
PEER_DISCONNECTED = b'{"type":"peer-disconnected"}'


def parse(payload: bytes) -> Message:
    """Return the message in ``payload`` (UTF-8).

    Raises ``Refused(BAD_MESSAGE)`` unless it is an object with a string ``type``, nested no deeper than ``MAX_DEPTH``.
    """
    try:
        message = _loads(payload)
    except orjson.JSONDecodeError:
        raise Refused(BAD_MESSAGE) from None
    if type(message) is not dict or type(message.get("type")) is not str:
        raise Refused(BAD_MESSAGE)
    if (BRACKET in payload or payload.rfind(OPENING) >= _FLAT_BYTES) and _is_too_deep(payload):
        raise Refused(BAD_MESSAGE)
    return message


def _is_too_deep(payload: bytes) -> bool:
    """Return whether JSON is nested beyond ``MAX_DEPTH``, in values that a duplicate key overrides as well."""
    if payload.count(OPENING) + payload.count(BRACKET) <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", payload).translate(_BRACKETS, _OTHERS)
    for _ in range(MAX_DEPTH):
        # Remove the innermost level.
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def ice_servers(message: Message) -> bytes | None:
    """Return the list under ``iceServers`` as JSON, None where there is no list."""
    value = message.get("iceServers")
    return orjson.dumps(value) if isinstance(value, list) else None


def with_session_id(message: Message, payload: bytes, session_id: str) -> bytes:
    """Return ``payload`` with its top-level ``sessionId`` set to ``session_id``, every other key kept.

    Clients write their own ID or none; in both cases the sender's bytes are kept. Only another ID costs an encoding.
    """
    if _dumps(message) == payload or _has_keys_once(message, payload):
        if "sessionId" not in message:
            return payload.rstrip(b" \t\r\n")[:-1] + b',"sessionId":"%b"}' % session_id.encode()
        if message["sessionId"] == session_id:
            return payload
    copy = _copy(payload)
    copy["sessionId"] = session_id
    return orjson.dumps(copy)


def for_client(message: Message, payload: bytes) -> bytes:
    """Return a home's ``payload`` as its client gets it: unchanged but for one repair.

    Homes since 2.10 send candidates without ``sdpMLineIndex``, which the Kotlin client can't parse. It is set to 0, as
    there is one m-line.
    """
    if message["type"] == "ice-candidate":
        candidate = message.get("data")
        if (
            type(candidate) is dict
            and candidate.get("sdpMLineIndex") is None
            and type(candidate.get("sdpMid")) is str
        ):
            return _with_index(message, payload)
    if _dumps(message) == payload or _has_keys_once(message, payload):
        return payload
    return orjson.dumps(_copy(payload))


def _with_index(message: Message, payload: bytes) -> bytes:
    if (
        _has_keys_once(message, payload)
        and payload.count(b'"sdpMid"') == 1
        and b'"sdpMLineIndex"' not in payload
    ):
        return payload.replace(b'"sdpMid"', b'"sdpMLineIndex":0,"sdpMid"')
    copy = _copy(payload)
    copy["data"]["sdpMLineIndex"] = 0
    return orjson.dumps(copy)


def _has_keys_once(message: Message, payload: bytes) -> bool:
    """Return whether no significant key can occur twice: parsers differ in which of two values they use.

    If ``_dumps`` returns the payload itself, none does. ``with_session_id`` and ``for_client`` test that first: it is
    four times as fast, and browsers write so.
    """
    data = message.get("data")
    types = 2 if type(data) is dict and "type" in data else 1
    return (
        payload.count(b'"type"') == types
        and payload.count(b'"sessionId"') <= 1
        and payload.count(b'"data"') <= 1
        and (BACKSLASH not in payload or b"\\u" not in payload)
    )


def _copy(payload: bytes) -> Message:
    """Parse a message again, keeping numbers as they are written; the last of equal keys counts, as in ``parse``."""
    copy: Message = json.loads(payload, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
    return copy


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
    """Return our own offer, for a session that asks for proof of possession."""
    return orjson.dumps({"type": "offer", "sessionId": session_id, "data": data})


def client_disconnected(session_id: str) -> bytes:
    """Return the message that tells a home that a session's client has left."""
    return orjson.dumps({"type": "client-disconnected", "sessionId": session_id})


def connected(remote_id: str, session_id: str, ice: bytes | None) -> bytes:
    """Return the answer to a granted ``connect-request``; ``ice`` is a JSON list or None."""
    message: Message = {"type": "connected", "remoteId": remote_id, "sessionId": session_id}
    if ice is not None:
        message["iceServers"] = orjson.Fragment(ice)
    return orjson.dumps(message)
