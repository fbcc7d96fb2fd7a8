"""The short path does what Autobahn does: the same bytes, cut anywhere, have the same effect on either."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.fast_path import ShortPath, configure
from ma_signaling.transport.protocol import SignalingProtocol
from tests.fuzz_input import REQUESTS, STREAMS, Cuts, changed
from tests.test_fuzz import PROFILE
from tests.wire import CLOSE, PING, PONG, TEXT, UPGRADE, Server, frame

BROWSER = (
    b"GET /ws HTTP/1.1\r\nHost: signaling.example.org\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    b"Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
    b"Upgrade: websocket\r\nOrigin: https://app.music-assistant.io\r\nSec-WebSocket-Version: 13\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
FIREFOX = BROWSER.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade").replace(
    b"; client_max_window_bits", b""
)
AIOHTTP = (
    b"GET /ws HTTP/1.1\r\nHost: [2001:db8::1]:8787\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAccept: */*\r\n"
    b"Accept-Encoding: gzip, deflate\r\nUser-Agent: Python/3.13 aiohttp/3.14.5\r\n\r\n"
)
OKHTTP = (
    b"GET /ws?x=1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\nHost: 192.0.2.9:8787\r\n"
    b"Accept-Encoding: gzip\r\nUser-Agent: okhttp/5.1.0\r\n\r\n"
)
KTOR = OKHTTP.replace(b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"").replace(
    b"Connection: Upgrade", b"connection: upgrade"
)
FIELD = [BROWSER, FIREFOX, AIOHTTP, OKHTTP, KTOR, UPGRADE + b"\r\n"]

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


class Recorder(SignalingProtocol):
    """Keeps what Autobahn, or the short path, says."""

    events: list[tuple[object, ...]]

    def onOpen(self) -> None:
        self.events = [("open",)]
        super().onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.events.append(("message", payload, isBinary))
        super().onMessage(payload, isBinary)

    def onPing(self, payload: bytes) -> None:
        self.events.append(("ping", payload))
        super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        self.events.append(("pong", payload))
        super().onPong(payload)

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> bool | None:
        self.events.append(("close frame", code, reasonRaw))
        return super().onCloseFrame(code, reasonRaw)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.connection is not None:
            self.events.append(("closed", wasClean, code, reason))
        super().onClose(wasClean, code, reason)


class OnlyShort(Recorder):
    """Fails where Autobahn would have to read anything."""

    def processHandshake(self) -> None:
        raise AssertionError("the long way to a handshake")

    def processData(self) -> bool:
        raise AssertionError("the long way to a message")


def _play(is_short: bool, data: bytes, cuts: Cuts, **settings: Any) -> list[object]:
    """All that can be seen of a connection that receives ``data``."""
    server = Server(short_path=is_short, **settings)
    server.factory.protocol = configure(Recorder, server.factory) if is_short else Recorder
    socket = server.accept()
    seen: list[object] = []
    for start, end in pairwise(sorted({0, *(cut % len(data) for cut in cuts if data), len(data)})):
        if not socket.transport.disconnecting:
            socket.send(data[start:end])
            protocol = socket.transport.protocol
            if isinstance(protocol, ShortPath):
                assert protocol.is_short == is_short
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


class TakenTest(SynchronousTestCase):
    """What the clients in the field do takes the short path, unless a setting forbids it."""

    def test_usual_connections(self) -> None:
        for head in FIELD:
            server = Server()
            server.factory.protocol = configure(OnlyShort, server.factory)
            socket = server.accept()
            socket.send(head)
            self.assertIn(b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", socket.read_head())
            socket.send(frame(TEXT, b'{"type":"ping"}') + frame(PONG) + frame(PING, b"x"))
            socket.send(frame(TEXT, '{"type":"register-server","remoteId":"\u00e4"}'.encode()))
            socket.send(frame(TEXT, b'{"type":"ping","pad":"%b"}' % (b"x" * 40000)))
            self.assertEqual([opcode for opcode, _ in socket.frames()], [TEXT, PONG, TEXT, TEXT])
            socket.send(frame(CLOSE, b"\x03\xe8"))
            self.assertEqual(socket.frames(), [(CLOSE, b"\x03\xe8")])
            self.assertTrue(socket.transport.disconnecting)

    def test_many_messages_in_one_read(self) -> None:
        server = Server()
        server.factory.protocol = configure(OnlyShort, server.factory)
        socket = server.connect()
        socket.send(frame(TEXT, b'{"type":"ping"}') * 40)
        self.assertEqual(len(socket.heard()), 40)

    def test_setting_turns_it_off(self) -> None:
        self.assertTrue(Server().connect().protocol.is_short)
        self.assertFalse(Server(short_path=False).connect().protocol.is_short)

    def test_connections_share_nothing_that_changes(self) -> None:
        server = Server()
        one, other = server.connect("192.0.2.1"), server.connect("192.0.2.2")
        one.send(frame(TEXT, "\u20ac".encode()[:2], fin=False))
        other.send(frame(TEXT, "\u20ac".encode()[2:], fin=False))
        self.assertEqual((one.close_code(), other.close_code()), (None, 1007))


class AutobahnTest(SynchronousTestCase):
    """What the short path knows of Autobahn's inside."""

    def test_every_attribute_is_known(self) -> None:
        self.assertTrue(
            configure(SignalingProtocol, Server().factory).is_short,
            "This Autobahn keeps something new in a connection (the log names it): read what it is for, then give it a"
            " stand-in in ma_signaling/transport/fast_path.py if it can change in place",
        )

    def test_an_attribute_that_is_unknown_turns_the_short_path_off(self) -> None:
        set_up = WebSocketServerProtocol._connectionMade

        def set_up_more(protocol: Any) -> None:
            set_up(protocol)
            protocol.news = []

        self.patch(WebSocketServerProtocol, "_connectionMade", set_up_more)
        with capturedLogs() as logged:
            self.assertFalse(Server().connect().protocol.is_short)
        self.assertIn("it has a new news", str(formatEvent(logged[0])))

    def test_what_is_overridden_or_read_is_there(self) -> None:
        """In Autobahn's own class: ours define some of these as well."""
        names = ["data", "state", "current_frame", "inside_message", "websocket_version", "processData"]
        names += [
            "processHandshake",
            "_connectionMade",
            "_connectionLost",
            "sendData",
            "onCloseFrame",
            "fire",
        ]
        server = Server(short_path=False)
        server.factory.protocol = WebSocketServerProtocol
        plain = server.connect().protocol
        for name in names:
            self.assertTrue(
                hasattr(plain, name),
                f"Autobahn has no {name} any more: ma_signaling/transport/fast_path.py relies on it",
            )
