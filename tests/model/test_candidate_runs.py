"""Candidates that are forwarded together fare as they would one by one, whatever is among them and whoever waits."""

from __future__ import annotations

import json
import re
from itertools import chain, combinations
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import messages
from ma_signaling.core.candidate_counts import named
from ma_signaling.core.router import Router
from ma_signaling.transport import fast_path
from ma_signaling.transport.reading import MAX_STEPS
from tests.model.fuzz_input import PROFILE
from tests.support.fake_prover import FakeProver
from tests.support.memory_server import PING, TEXT, Server, Socket, frame
from tests.support.sample_candidates import HOST, HOST_MDNS, RELAY, SRFLX, sdp
from tests.support.takeover_case import PROVABLE

CANDIDATES = [HOST, HOST_MDNS, SRFLX, RELAY, "", "nonsense", "ü", 7, None]
ID = b"the session's ID"
OTHER_ID = b"the other session's ID"
FIRST_ID = b"the ID of the session before"


def _candidate(candidate: object, session: object, spaced: bool, more: dict[str, object]) -> bytes:
    data = {"candidate": candidate, "sdpMid": "0", **more}
    message: dict[str, object] = {"type": "ice-candidate", "data": data}
    if session is not None:
        message["sessionId"] = session
    separators = None if spaced else (",", ":")
    return json.dumps(message, separators=separators, ensure_ascii=spaced).encode()


_USUAL = st.builds(
    _candidate,
    st.sampled_from(CANDIDATES),
    st.just(ID.decode()),
    st.booleans(),
    st.sampled_from([{"sdpMLineIndex": 0}, {"sdpMLineIndex": 0, "usernameFragment": "kR5h"}, {}]),
)
_ODD = st.builds(
    _candidate,
    st.sampled_from(CANDIDATES),
    st.sampled_from([None, OTHER_ID.decode(), FIRST_ID.decode(), "", 5, ["x"], "unknown"]),
    st.booleans(),
    st.just({"sdpMLineIndex": 0}),
)
_STRANGE = st.sampled_from(
    [
        json.dumps({"type": "offer", "sessionId": ID.decode(), "data": sdp(HOST)}).encode(),
        json.dumps({"type": "answer", "sessionId": ID.decode(), "data": sdp(HOST)}).encode(),
        json.dumps({"type": "answer", "sessionId": OTHER_ID.decode(), "data": sdp(HOST)}).encode(),
        b'{"type":"ping"}',
        b'{"type":"ice-candidate"',
        b'["ice-candidate"]',
        b'{"type":"ping","why":"ice-candidate"}',
        b'{"type":"ice\\u002dcandidate","data":{"candidate":""},"sessionId":"%b"}' % ID,
        b'{"type":"ice-candidate","type":"ice-candidate","data":{},"sessionId":"%b"}' % ID,
        b'{"type":"ping","type":"ice-candidate","data":{},"sessionId":"%b"}' % ID,
        b'{"type":"ice-candidate","data":{"candidate":"","n":1e999},"sessionId":"%b"}' % ID,
        b'{"type":"ice-candidate","data":1e999,"sessionId":"%b","sessionId":"%b"}' % (ID, ID),
        b'{"type":"ice-candidate","data":1e999,"sessionId":"%b"}' % OTHER_ID,
        b'{"type":"ice-candidate","sessionId":"%b"} ' % ID,
        b'{"type":"ice-candidate","data":"%b","sessionId":"%b"}' % (ID, OTHER_ID),
        b'{"type":"ice-candidate","data":%b,"sessionId":"%b"}' % (b"[" * 70 + b"]" * 70, ID),
        b'{"type":"ice-candidate","data":"%b","sessionId":"%b"}' % (b"x" * 5000, ID),
    ]
)
_MESSAGES = st.builds(
    lambda *parts: [message for part in parts for message in part],
    st.lists(_USUAL, max_size=8),
    st.lists(_USUAL | _ODD | _STRANGE, min_size=2, max_size=8),
    st.lists(_USUAL, max_size=8),
)
SITUATIONS = [
    *("pending", "second session", "offered", "answered"),
    *("suspended", "contested", "home is away", "home is slow", "client is slow", "little waits"),
]
LIMITS: list[dict[str, Any]] = [
    {},
    {"message_burst": 5, "message_rate": 2},
    {"message_bytes_burst": 3000, "message_bytes_rate": 1000},
    {"control_burst": 2, "control_rate": 1},
    {"session_traces": 0},
]


class Play:
    """One server with a home, the observed client, and another client."""

    def __init__(self, situations: set[str], **limits: Any) -> None:
        self.server = Server(prover=FakeProver(), send_buffer_bytes=64 * 1024, **limits)
        self.newcomer = self.server.connect("203.0.113.9")
        self.home = self.server.home(PROVABLE)
        self.other, self.client = self.server.connect("198.51.100.2"), self.server.connect("198.51.100.1")
        self.other_id = self.first_id = self._request(self.other)
        if "second session" in situations:
            self.first_id = self._request(self.client)
        self.id = self._request(self.client, is_answered="pending" not in situations)
        for socket in (self.home, self.client, self.other):
            socket.transport.unsent = lambda: 10_000 if "little waits" in situations else 40_000
        if situations & {"offered", "answered", "suspended"}:
            self.client.say(type="offer", data=sdp())
        if situations & {"answered", "suspended"}:
            self.home.say(type="answer", data=sdp(), sessionId=self.id)
        if "suspended" in situations:
            self.home.lose()
            self.home = self.server.connect("203.0.113.8")
            self.home.say(type="register-server", remoteId=PROVABLE)
        if "contested" in situations:
            self.newcomer.say(type="register-server", remoteId=PROVABLE)
        if "home is slow" in situations:
            self.home.protocol.pauseProducing()
        if "client is slow" in situations:
            self.client.protocol.pauseProducing()
        if "home is away" in situations:
            self.home.lose()

    def _request(self, client: Socket, *, is_answered: bool = True) -> str:
        client.say(type="connect-request", remoteId=PROVABLE)
        session_id: str = self.home.heard()[-1]["sessionId"]
        if is_answered:
            self.home.say(type="session-ready", sessionId=session_id)
        return session_id

    def send(self, sender: Socket, said: list[bytes], *, together: bool) -> None:
        """Let a peer send messages, which arrive by one read, or by one read each."""
        frames = [frame(TEXT, self._named(message)) for message in said] + [frame(PING)]
        for data in [b"".join(frames)] if together else frames:
            if not sender.transport.disconnecting:
                sender.transport.protocol.dataReceived(data)
        self.server.clock.advance(0)
        sender.settle()

    def _named(self, message: bytes) -> bytes:
        for name, id in ((OTHER_ID, self.other_id), (FIRST_ID, self.first_id), (ID, self.id)):
            message = message.replace(name, id.encode())
        return message

    def seen(self) -> list[object]:
        """Return all visible effects: what each peer has got, what is counted, what a new home is told."""
        hub = self.server.hub
        sessions = [hub.sessions.get(id) for id in (self.id, self.other_id)]
        budgets = [
            (budget._messages, budget._bytes, budget._drops)
            for session in sessions
            if session is not None
            for budget in (session.from_client, session.from_home)
        ]
        sides = [
            (side.described_at, side.first_candidate_at, side.last_candidate_at, named(side.trickled))
            for session in sessions
            if session is not None and session.trace is not None
            for side in (session.trace.client, session.trace.home)
        ]
        traffic = [
            (kind, tally.messages, tally.bytes)
            for kind, each in hub.traffic()
            for tally in (each.from_homes, each.from_clients)
        ]
        buffers = [
            buffer and buffer.size
            for socket in (self.home, self.client, self.other)
            for buffer in (socket.protocol._send_buffer,)
        ]
        if hub.registry.contests.by_remote_id:
            # Until it is decided whether the home's messages were a sign of life.
            self.server.advance(12)
        heard = [self._heard(socket) for socket in (self.home, self.client, self.other, self.newcomer)]
        if not self.home.transport.disconnecting and self.home.protocol.connection is not None:
            self.home.lose()
        back = self.server.connect()
        back.say(type="register-server", remoteId=PROVABLE)
        heard.append(self._heard(back))
        waiting = [hub.capacity.unsent, self.client.transport.disconnecting]
        return [heard, buffers, budgets, sides, traffic, hub.counts(), waiting]

    def _heard(self, socket: Socket) -> list[tuple[int, bytes]]:
        """Return what a peer has got, without pings (their payloads are random), with names in place of random IDs."""
        names = {self.first_id.encode(): FIRST_ID, self.other_id.encode(): OTHER_ID, self.id.encode(): ID}
        return [
            (opcode, re.sub(rb"[0-9a-f]{32}", lambda found: names.get(found[0], b"another ID"), payload))
            for opcode, payload in socket.frames()
            if opcode != PING
        ]


class SameTest(SynchronousTestCase):
    """Both ways, compared."""

    def test_usual_ones_go_together(self) -> None:
        play = Play({"offered"})
        candidates = [_candidate(HOST, ID.decode(), False, {"sdpMLineIndex": 0})] * 8
        for sender, receiver in ((play.client, play.home), (play.home, play.client)):
            receiver.frames()
            with mock.patch.object(Router, "route") as one_by_one:
                play.send(sender, candidates, together=True)
            one_by_one.assert_not_called()
            self.assertEqual(receiver.heard(), [json.loads(play._named(candidates[0]))] * 8)

    def test_nothing_is_parsed_twice(self) -> None:
        candidate = _candidate(HOST, ID.decode(), False, {"sdpMLineIndex": 0})
        other = _candidate(HOST, OTHER_ID.decode(), False, {"sdpMLineIndex": 0})
        answer = json.dumps({"type": "answer", "sessionId": ID.decode(), "data": sdp(HOST)}).encode()
        ping = b'{"type":"ping","why":"ice-candidate"}'
        for situations in ({"offered"}, {"suspended"}, {"client is slow"}, {"home is slow"}):
            for is_from_home, others in ((True, (answer, other, ping)), (False, (ping, candidate))):
                play = Play(situations)
                said = [message for each in others for message in (candidate, candidate, each)]
                with mock.patch.object(messages, "parse", wraps=messages.parse) as parsed:
                    play.send(play.home if is_from_home else play.client, said, together=True)
                self.assertEqual(parsed.call_count, len(said), (situations, is_from_home))

    def test_what_is_put_off_is_unmasked_once_a_pause(self) -> None:
        play = Play(set(), control_burst=3, control_rate=1)
        with mock.patch.object(fast_path, "whole_frame", wraps=fast_path.whole_frame) as unmasked:
            play.send(play.client, [b'{"type":"ping"}'] * 40, together=True)
        self.assertLess(unmasked.call_count, 3 * 40)
        self.assertEqual(play.client.protocol.max_ahead, MAX_STEPS)

    def test_whatever_the_situation(self) -> None:
        candidates = [_candidate(HOST, ID.decode(), False, {})] * 4
        for situations in chain(combinations(SITUATIONS, 1), combinations(SITUATIONS, 2)):
            for is_from_home in (False, True):
                self._compare(candidates, set(situations), {}, is_from_home)

    def test_whatever_is_said(self) -> None:
        @PROFILE
        @given(
            _MESSAGES,
            st.sets(st.sampled_from(SITUATIONS), max_size=2),
            st.sampled_from(LIMITS),
            st.booleans(),
        )
        def explore(
            said: list[bytes], situations: set[str], limits: dict[str, Any], is_from_home: bool
        ) -> None:
            self._compare(said, situations, limits, is_from_home)

        explore()

    def _compare(
        self, said: list[bytes], situations: set[str], limits: dict[str, Any], is_from_home: bool
    ) -> None:
        seen = []
        for together in (True, False):
            play = Play(situations, **limits)
            sender = play.home if is_from_home else play.client
            if sender.protocol.connection is None:
                return
            play.send(sender, said, together=together)
            seen.append(play.seen())
        self.assertEqual(seen[0], seen[1], (situations, is_from_home))
