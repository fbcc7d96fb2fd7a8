"""Input of a stranger, for `test_fuzz`: nearly right messages, frames and request heads, and garbage."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.support.memory_server import BINARY, CLOSE, PING, PONG, TEXT, UPGRADE, frame

settings.register_profile(
    "bounded", max_examples=200, print_blob=True, suppress_health_check=list(HealthCheck)
)
# Hypothesis is deterministic where it recognises a CI; a second round would repeat the first.
settings.register_profile("fuzz", settings.get_profile("bounded"), max_examples=500, derandomize=False)
SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
PROFILE = settings.get_profile("fuzz" if SECONDS else "bounded")

Talk = list[tuple[bytes, int]]
"""Payloads and the opcodes they come in."""

Cuts = Sequence[int]
"""Where a stream is cut, modulo its length."""

SESSION = "the session of the two others"
"""Stands for an ID that is only known when the server runs."""


def changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    """Return `data` with other values at some places."""
    result = bytearray(data)
    for place, value in changes:
        if result:
            result[place % len(result)] = value
    return bytes(result)


_CHANGES: st.SearchStrategy[list[tuple[int, int]]] = st.just([]) | st.lists(
    st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=3
)
_CUTS: st.SearchStrategy[Cuts] = st.lists(st.integers(0, 1 << 16), max_size=8) | st.just(range(3000))

# Messages: names and values of this protocol in wrong places and of wrong types, and foreign ones.

_OPENING = ["register-server", "connect-request", "session-ready"]
_TYPES = [*_OPENING, "offer", "answer", "ice-candidate", "ping", "pong"]
_WORDS = [*_TYPES, "error", "HOME", " home ", "OTHER", "MA-X7K9-P2M4", SESSION, "", "x" * 65, "\0", "\ud800"]
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
_MESSAGES = st.builds(
    lambda kind, known, unknown: {**unknown, **known, "type": kind},
    st.sampled_from(_TYPES) | _VALUES,
    st.dictionaries(
        st.sampled_from(["remoteId", "sessionId", "iceServers"]), st.sampled_from(_WORDS) | _VALUES
    ),
    st.dictionaries(st.text(max_size=9), _VALUES, max_size=2),
)
_ODD_JSON = [
    b'{"type":"offer","x":1e999}',
    b'{"type":"offer","sessionId":1,"x":' + b"9" * 5000 + b"}",
    b'{"type":"offer","sessionId":1,"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
    b'{"type":"register-server","remoteId":"R","iceServers":' + b"[" * 400 + b"]" * 400 + b"}",
    b'\t{"type":"offer" } \r\n',
    b'\xef\xbb\xbf{"type":"ping"}',
    b"\xff\xfe{",
]
_PAYLOADS = st.one_of(
    st.builds(
        lambda value, indent: json.dumps(value, indent=indent).encode(),
        _MESSAGES,
        st.none() | st.integers(0, 2),
    ),
    st.builds(changed, _MESSAGES.map(lambda value: json.dumps(value).encode()), _CHANGES),
    _VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
    st.sampled_from(_ODD_JSON),
)
_CALL = b'{"type":"connect-request","remoteId":"HOME"}'
_REGISTRATION = b'{"type":"register-server","remoteId":"OTHER"}'
TALK: st.SearchStrategy[Talk] = st.builds(
    lambda opening, talk, times: [*opening, *talk * times],
    st.sampled_from([[], [(_CALL, TEXT)], [(_REGISTRATION, TEXT)]]),
    st.lists(st.tuples(_PAYLOADS, st.sampled_from([TEXT, BINARY])), max_size=20),
    st.sampled_from([1] * 9 + [20]),
)

# Frames: headers of every kind, with right and wrong lengths.

_GOOD = [
    b'{"type":"ping"}',
    b'{"type":"what"}',
    b'{"type":"register-server","remoteId":"THREE"}',
    b"\xc3\xa4",
    b"",
]
_BODIES = [*_GOOD, b"\x03\xe8", b"\x03\xe9bye", b"\x03\xedno", b"\x03\xe8\xff", b"x" * 126, b"x" * 1025]
_LENGTHS = [b"", b"\0\5", b"\0\x7e", b"\4\1", bytes(7) + b"\5", bytes(5) + b"\1\0\0", b"\xff" * 8]
_FRAMES = st.builds(
    lambda opcode, payload, fin, masked, rsv, times: (
        frame(opcode, payload, fin=fin, masked=masked, rsv=rsv) * times
    ),
    st.sampled_from([0, 0, TEXT, TEXT, BINARY, CLOSE, PING, PONG]) | st.integers(0, 15),
    st.sampled_from(_BODIES) | st.binary(max_size=20),
    st.sampled_from([True, True, False]),
    st.sampled_from([True] * 19 + [False]),
    st.sampled_from([0] * 19 + [1, 4, 7]),
    st.sampled_from([1] * 9 + [2, 40, 300]),
)
_RAW_FRAMES = st.builds(
    lambda first, second, length, rest: bytes([first, second]) + length + rest,
    st.integers(0, 255),
    st.integers(0, 255),
    st.sampled_from(_LENGTHS),
    st.sampled_from(_GOOD) | st.binary(max_size=20),
)
_CONTROLS = st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=9))
_CLOSES = st.builds(
    lambda code, reason: frame(CLOSE, code.to_bytes(2) + reason),
    st.sampled_from([999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1015, 3000, 4999, 5000])
    | st.integers(0, 65535),
    st.sampled_from([b"", b"bye"]) | st.binary(max_size=9),
)
_WHOLE_MESSAGES = st.builds(
    lambda opcode, parts, control: b"".join(
        frame(0 if index else opcode, part, fin=index == len(parts) - 1) + control
        for index, part in enumerate(parts)
    ),
    st.sampled_from([TEXT, BINARY]),
    st.lists(st.sampled_from([*_GOOD, "\u20ac".encode()]), min_size=1, max_size=4)
    | st.just([b"\xe2", b"\x82", b"\xac"])
    | st.integers(250, 260).map(lambda size: [b""] * size)
    | st.integers(1020, 1028).map(lambda size: [b"x" * size]),
    st.just(b"") | _CONTROLS,
)
# The server reads nothing after a fault, so most of a stream must be right for its end to matter.
_STREAMS = st.builds(
    lambda right, times, wrong: b"".join(right) * times + b"".join(wrong),
    st.lists(_WHOLE_MESSAGES, max_size=4),
    st.sampled_from([1] * 9 + [60]),
    st.lists(_FRAMES, max_size=3) | st.lists(_RAW_FRAMES, max_size=2) | st.lists(_CLOSES, max_size=2),
)
STREAMS: st.SearchStrategy[tuple[bytes, Cuts]] = st.tuples(
    _STREAMS | st.builds(changed, _STREAMS, _CHANGES), _CUTS
)

# HTTP: heads that are nearly right, and garbage.

_METHODS = [b"GET"] * 12 + [
    b"HEAD",
    b"OPTIONS",
    b"POST",
    b"PRI",
    b"get",
    b"CONNECT",
    b"",
    b"\xff",
    b"M" * 300,
]
_TARGETS = [
    *(b"/", b"/health", b"/ws", b"/api/check/HOME", b"/api/check/", b"/api/check/%00%ff%", b"/api//x", b"*"),
    *(b"//", b"/../..", b"/?a=%zz;&=", b"http://h/health", b"http://[::1", b"http://h]:x/", b"http://h:x/"),
    *(
        b"h:443",
        b"ws://h/ws",
        b"/a#b",
        b"http:",
        b"//[/ws",
        b"http:///ws",
        b"http://\xef\xbc\x8f/",
        b"\xff",
        b"",
    ),
    b"/" + b"x" * 17000,
]
_HEADERS = [
    *(
        b"Host: h",
        b"Host: [",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Connection: Upgrade",
        b" folded",
    ),
    *(b"Accept: text/html", b"nothing", b": x", b"A : b", b"Content-Length: 5", b"Content-Length: 0"),
    *(
        b"Content-Length: -1",
        b"Content-Length: 1, 1",
        b"Content-Length: x",
        b"\0: \xff",
        b"Expect: 100-continue",
    ),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", b"Upgrade: websocket", b"Upgrade: h2c"),
    *(
        b"Sec-WebSocket-Version: 99",
        b"X-Forwarded-For: [",
        b"Forwarded: for=",
        b"Cookie: a; =;b",
        b"Origin: null",
    ),
    *(b"Authorization: Basic x", b"Authorization: Basic /w==", b"Content-Type: multipart/form-data"),
    *(b"Range: bytes=0-", b"If-None-Match: *", b"X: " + b"x" * 9000),
]
_HEADS = st.builds(
    lambda method, target, version, headers, end, body: end.join(
        [method + b" " + target + b" " + version, *headers, b"", body]
    ),
    st.sampled_from(_METHODS),
    st.sampled_from(_TARGETS) | st.binary(max_size=9).map(lambda path: b"/" + path),
    st.sampled_from([*[b"HTTP/1.1"] * 9, b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"x", b""]),
    st.lists(st.sampled_from([*_HEADERS, b"\xff: \xff"]), max_size=3),
    st.sampled_from([b"\r\n"] * 9 + [b"\n"]),
    st.sampled_from([*[b""] * 9, b"hello", b"5\r\nhello\r\n0\r\n\r\n"]),
)
_UPGRADES = st.builds(changed, st.just(UPGRADE + b"\r\n"), _CHANGES)
_REQUESTS = st.builds(
    changed, st.lists(_HEADS | _HEADS | _UPGRADES, min_size=1, max_size=3).map(b"".join), _CHANGES
)
REQUESTS: st.SearchStrategy[tuple[bytes, Cuts]] = st.tuples(_REQUESTS, _CUTS)
