"""The pieces in which bytes arrive change nothing: request heads, PROXY headers and what follows them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.model.fuzz_input import PROFILE, REQUESTS, Cuts, changed
from tests.support.field_requests import FIELD
from tests.support.memory_server import TEXT, Server, frame

_LINES = [
    *(b"Content-Length: 0", b"Content-Length: 21", b"Transfer-Encoding: chunked", b"Connection: keep-alive"),
    *(b"Origin: null", b"Origin: https://h:99999", b"Origin: x", b"Origin: file://", b"Origin: http://H"),
    *(b"Host: h:x", b"Host: ", b"Host: h:1:2", b"Host: a b", b"Upgrade: h2c", b"Upgrade: websocket, h2c"),
    *(
        b"Connection: close",
        b"Connection: close, upgrade",
        b"Sec-WebSocket-Version: 8",
        b"Sec-WebSocket-Key: x",
    ),
    *(b"Sec-WebSocket-Version: x", b"Sec-WebSocket-Version: 013", b"Sec-WebSocket-Version: 13, 8"),
    *(b"Sec-WebSocket-Protocol: a", b"Sec-WebSocket-Protocol: a, a", b"Sec-WebSocket-Extensions: x"),
    *(
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
        b"nothing",
        b"X: \x0b",
        b"X:\ty",
    ),
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=x",
]
_HEADS = st.builds(
    lambda head, lines, drop, first: (
        first
        + b"\r\n".join(
            [
                *(line for i, line in enumerate(head.split(b"\r\n")[:-2]) if i != drop or i == 0),
                *lines,
                b"",
                b"",
            ]
        )
    ),
    st.sampled_from(FIELD),
    st.lists(st.sampled_from(_LINES), max_size=2),
    st.integers(0, 30),
    st.sampled_from([b""] * 9 + [b"\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"]),
)
_CHANGES = st.lists(
    st.tuples(st.integers(0, 1 << 16), st.sampled_from(b"\0\t\n\r #:?A[\x85\xff")), max_size=2
)
HANDSHAKES: st.SearchStrategy[tuple[bytes, Cuts]] = st.tuples(
    st.builds(
        lambda head, changes, more: changed(head, changes) + more,
        _HEADS,
        _CHANGES,
        st.sampled_from([b"", frame(TEXT, b"{}")]),
    ),
    st.lists(st.integers(0, 1 << 16), max_size=3) | st.just(range(3000)),
)


def outcome(data: bytes, cuts: Cuts, **overrides: Any) -> list[object]:
    """Return all that can be seen of a connection, once it has received ``data``."""
    server = Server(**overrides)
    socket = server.accept()
    for start, end in pairwise(sorted({0, *(cut % len(data) for cut in cuts if data), len(data)})):
        if not socket.transport.disconnecting:
            socket.send(data[start:end])
    told = re.sub(rb"\r\nDate: [^\r]*", b"", socket.transport.value())
    seen = [told, type(socket.protocol).__name__, socket.transport.disconnecting, socket.transport.aborted]
    seen.append(server.counts())
    socket.lose()
    return [*seen, server.counts()]


class AnyPiecesTest(SynchronousTestCase):
    """The same bytes, whole and in pieces."""

    def test_requests(self) -> None:
        @settings(PROFILE)
        # Many bytes after a close frame, one of them a close frame too.
        @example((FIELD[0] + b"GET / HTTP/1.1\r\nX: " + b"x" * 1000 + b"\r\n\r\n", range(3000)))
        @given(HANDSHAKES | REQUESTS)
        def explore(value: tuple[bytes, Cuts]) -> None:
            data, cuts = value
            self.assertEqual(outcome(data, cuts), outcome(data, []))

        explore()
