"""The fast path does what Autobahn does: the same bytes, cut anywhere, have the same effect on either."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.fast_path import AutobahnPath, FastPath, with_fast_path
from tests.model.fuzz_input import PROFILE, REQUESTS, STREAMS, Cuts, changed
from tests.support.field_requests import FIELD, Recorder
from tests.support.memory_server import TEXT, UPGRADE, Server, frame

_LINES = [
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
    st.lists(st.integers(0, 1 << 16), max_size=3),
)


def _play(is_fast: bool, data: bytes, cuts: Cuts, **settings: Any) -> list[object]:
    """All that can be seen of a connection that receives ``data``."""
    server = Server(fast_path=is_fast, **settings)
    server.factory.protocol = with_fast_path(Recorder, server.factory) if is_fast else Recorder
    socket = server.accept()
    seen: list[object] = []
    for start, end in pairwise(sorted({0, *(cut % len(data) for cut in cuts if data), len(data)})):
        if not socket.transport.disconnecting:
            socket.send(data[start:end])
            protocol = socket.transport.protocol
            if isinstance(protocol, AutobahnPath):
                assert isinstance(protocol, FastPath) == is_fast
                seen.append(list(getattr(protocol, "events", [])))
                seen.append(protocol.state)
    seen.append(re.sub(rb"\r\nDate: [^\r]*", b"", socket.transport.value()))
    seen += [socket.transport.disconnecting, socket.transport.aborted]
    socket.lose()
    seen.append(getattr(protocol, "events", None))
    return [*seen, server.counts(), server.clock.getDelayedCalls() == []]


class SameTest(SynchronousTestCase):
    """One way held against the other."""

    def test_frames(self) -> None:
        @settings(PROFILE)
        @given(STREAMS)
        def explore(value: tuple[bytes, Cuts]) -> None:
            stream, cuts = value
            data = UPGRADE + b"\r\n" + stream
            cuts = [len(UPGRADE) + 2 + cut for cut in cuts]
            self.assertEqual(
                _play(True, data, cuts, max_message_bytes=1024),
                _play(False, data, cuts, max_message_bytes=1024),
            )

        explore()

    def test_handshakes(self) -> None:
        @settings(PROFILE)
        @given(HANDSHAKES | REQUESTS)
        def explore(value: tuple[bytes, Cuts]) -> None:
            self.assertEqual(_play(True, *value), _play(False, *value))

        explore()
