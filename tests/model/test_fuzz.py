"""Whatever a stranger sends, other peers don't notice, and all answers to it are documented.

It is bounded here, so that it can run with the other tests; `make fuzz` goes on for FUZZ_SECONDS.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.http.channel import IDLE_SECONDS
from ma_signaling.transport.protocol import LINGER_SECONDS
from ma_signaling.transport.timers import TICK_SECONDS
from tests.model.frame_reference import Reader
from tests.model.fuzz_input import PROFILE, REQUESTS, SECONDS, SESSION, STREAMS, TALK, Cuts, Talk
from tests.support.markdown_parts import documented_errors
from tests.support.memory_server import CLOSE, PING, PONG, TEXT, Server, Socket, frame

T = TypeVar("T")

PROPERTIES = 3

ERRORS = [
    (re.escape(wording).replace(r"\ N\ ", r" \d+ ").replace(r"type:\ T", r"type: .{0,64}"), code)
    for code, wording in documented_errors()
]
KEYS = {
    "registered": {"type", "remoteId"},
    "client-connected": {"type", "sessionId"},
    "client-disconnected": {"type", "sessionId"},
    "connected": {"type", "remoteId", "sessionId", "iceServers"},
    "ping": {"type"},
    "pong": {"type"},
}
CLOSED_FOR_MESSAGES = {1007, 1008, 1013, 4008, 4029}
# 101 for a handshake that survived its mutation.
STATUSES = {101, 200, 204, 400, 404, 405, 413, 426, 429, 431, 503, 505}

MOST_BYTES = 1024
NO_FLOOD = 49
"""So many messages, pings and pongs are no reason to close a connection, whatever their content."""


class FuzzTest(SynchronousTestCase):
    """Each property for its share of the time."""

    def test_messages(self) -> None:
        self._explore(TALK, _check_messages)

    def test_frames(self) -> None:
        self._explore(STREAMS, _check_frames)

    def test_requests(self) -> None:
        self._explore(REQUESTS, _check_requests)

    def _explore(self, examples: SearchStrategy[T], check: Callable[[T], None]) -> None:
        @settings(PROFILE)
        @given(examples)
        def explore(value: T) -> None:
            try:
                check(value)
            finally:
                errors = self.flushLoggedErrors()
            assert not errors, errors[0].getTraceback()

        until = time.monotonic() + SECONDS / PROPERTIES
        explore()
        while time.monotonic() < until:
            explore()


class Pair:
    """A home and a client in a call: the peers that must notice nothing."""

    def __init__(self, server: Server) -> None:
        self.home, self.client = server.connect("192.0.2.1"), server.connect("192.0.2.2")
        self.home.say(type="register-server", remoteId="HOME")
        self.client.say(type="connect-request", remoteId="HOME")
        self.session: str = self.home.heard()[-1]["sessionId"]
        self.home.say(type="session-ready", sessionId=self.session)
        assert [each["type"] for each in self.client.heard()] == ["connected"]

    def attend(self) -> None:
        """Let the home do its duty: answer pings, and take every call."""
        for opcode, payload in self.home.frames():
            if opcode == PING:
                self.home.send(frame(PONG, payload))
                continue
            # Pairs, not a dict: if a key occurs twice, parsers differ in which value counts.
            pairs = json.loads(payload, object_pairs_hook=list)
            message = dict(pairs)
            assert [key for key, _ in pairs].count("sessionId") == 1, payload
            assert message["sessionId"] != self.session, payload
            if message["type"] == "client-connected":
                self.home.say(type="session-ready", sessionId=message["sessionId"])

    def check(self) -> None:
        """Assert that neither peer has noticed anything."""
        self.attend()
        assert self.client.frames() == []
        self.client.say(type="offer", sdp="o")
        assert self.home.heard() == [{"type": "offer", "sdp": "o", "sessionId": self.session}]
        answer = {"type": "answer", "sdp": "a", "sessionId": self.session}
        self.home.say(**answer)
        assert self.client.heard() == [answer]
        for each in (self.home, self.client):
            each.say(type="ping")
            assert each.heard() == [{"type": "pong"}]


def _check_messages(talk: Talk) -> None:
    server = Server()
    pair = Pair(server)
    stranger = server.connect("192.0.2.3")
    for payload, opcode in talk:
        stranger.send(frame(opcode, payload.replace(SESSION.encode(), pair.session.encode())))
        pair.attend()
        for kind, answer in stranger.frames():
            if kind == TEXT:
                _check_documented(json.loads(answer))
            elif kind == CLOSE:
                assert int.from_bytes(answer[:2]) in CLOSED_FOR_MESSAGES, answer
    pair.check()


def _check_documented(message: dict[str, Any]) -> None:
    if message["type"] == "error":
        assert set(message) - {"retryAfter"} == {"type", "error", "code"}, message
        assert any(
            code == message["code"] and re.fullmatch(wording, message["error"], re.DOTALL)
            for wording, code in ERRORS
        ), message
    else:
        assert set(message) <= KEYS[message["type"]] <= {*message, "iceServers"}, message
        assert None not in message.values(), message


def _check_frames(value: tuple[bytes, Cuts]) -> None:
    stream, cuts = value
    reader = Reader(MOST_BYTES)
    expected = reader.read(stream)
    is_flood = reader.complete > NO_FLOOD
    outcomes = []
    for each in ([], cuts):
        server = Server(max_message_bytes=MOST_BYTES, ping_interval=3600)
        pair = Pair(server)
        stranger = server.connect("192.0.2.3")
        _send(stranger, stream, each)
        told = stranger.frames()
        pair.check()
        outcomes.append((told, server.counts()))
        closes = [payload for opcode, payload in told if opcode == CLOSE]
        assert len(closes) < 2, closes
        code = int.from_bytes(closes[0][:2]) if closes else None
        assert code == expected or (is_flood and code in {1008, 4029}), (code, expected)
        if closes:
            assert told[-1][0] == CLOSE, told
            server.advance(LINGER_SECONDS + TICK_SECONDS)
            assert stranger.transport.disconnecting
    assert outcomes[0] == outcomes[1]


def _check_requests(value: tuple[bytes, Cuts]) -> None:
    stream, cuts = value
    server = Server()
    pair = Pair(server)
    stranger = server.accept("192.0.2.3")
    _send(stranger, stream, cuts)
    found = _statuses(stranger.transport.value(), b"HEAD" in stream)
    assert set(found) <= STATUSES, found
    pair.check()
    if 101 not in found:
        server.advance(IDLE_SECONDS + TICK_SECONDS)
        assert stranger.transport.disconnecting, "nobody waits for it"


def _statuses(data: bytes, some_without_body: bool) -> list[int]:
    """Return the statuses of a connection's replies; errors must have a body of JSON, or that of a page."""
    found: list[int] = []
    while data and 101 not in found:
        head, end, data = data.partition(b"\r\n\r\n")
        line = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
        assert line, head
        assert end, head
        found.append(int(line[1]))
        length = re.search(rb"(?i)\ncontent-length: (\d+)", head)
        body = data[: int(length[1]) if length else 0]
        if some_without_body and (not body or body.startswith(b"HTTP/1.")):
            continue
        if found[-1] >= 400 and b"\r\nContent-Type: text/html" not in head:
            assert isinstance(json.loads(body)["error"], str), (head, body)
        data = data[len(body) :]
    return found


def _send(socket: Socket, data: bytes, cuts: Cuts) -> None:
    """Send `data` in pieces, until the server ends the connection."""
    for start, end in pairwise(sorted({0, *(cut % len(data) for cut in cuts if data), len(data)})):
        if not socket.transport.disconnecting:
            socket.send(data[start:end])
    socket.settle()
