"""What happened in a session: when, and for how long it is known."""

from __future__ import annotations

import json
import sys

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.session_trace import REMEMBERED, End, SessionTrace, SessionTraces, Side
from ma_signaling.core.session_verdict import VERDICTS
from tests.support.memory_hub import World
from tests.support.sample_candidates import ADDRESS, HOST, HOST_MDNS, RELAY, SRFLX, sdp
from tests.support.trace_cases import TraceTestCase


class TimesTest(TraceTestCase):
    """What is remembered, and when it was."""

    def test_whole_call(self) -> None:
        home = self.world.home()
        self.world.advance(5)
        client, session_id = self.asked(home)
        assert self.trace(session_id) == {
            "age": 0,
            "announced": 0,
            "client": {"trickled": {}, "inSdp": {}},
            "home": {"trickled": {}, "inSdp": {}},
            "verdict": {"code": "waiting", "text": VERDICTS["waiting"]},
        }
        self.world.advance(0.25)
        home.say("session-ready", sessionId=session_id)
        self.world.advance(0.25)
        client.say("offer", data=sdp())
        for candidate in (HOST, SRFLX, ""):
            self.world.advance(0.1)
            client.say("ice-candidate", data={"candidate": candidate})
        self.world.advance(0.2)
        home.say("answer", sessionId=session_id, data=sdp(HOST, RELAY))
        home.say("ice-candidate", sessionId=session_id, data={"candidate": RELAY})
        self.world.advance(1)
        client.goodbye()
        self.world.advance(2)
        assert self.trace(session_id) == {
            "age": 4000,
            "announced": 0,
            "connected": 250,
            "ready": True,
            "ended": 2000,
            "endedBy": "client",
            "end": "client-left",
            "client": {
                "offer": 500,
                "firstCandidate": 600,
                "lastCandidate": 800,
                "trickled": {"host/udp/ipv4": 1, "srflx/udp/ipv4": 1, "end": 1},
                "inSdp": {},
            },
            "home": {
                "answer": 1000,
                "firstCandidate": 1000,
                "lastCandidate": 1000,
                "trickled": {"relay/udp/ipv4": 1},
                "inSdp": {"host/udp/ipv4": 1, "relay/udp/ipv4": 1},
            },
            "verdict": {"code": "negotiated", "text": VERDICTS["negotiated"]},
        }

    def test_latest_description(self) -> None:
        """Another offer replaces what the one before listed, and not when that came."""
        home = self.world.home()
        client, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        client.say("offer", data=sdp(HOST, SRFLX))
        self.world.advance(1)
        client.say("offer", data=sdp(RELAY))
        trace = self.trace(session_id)["client"]
        assert (trace["offer"], trace["inSdp"]) == (0, {"relay/udp/ipv4": 1})

    def test_no_address(self) -> None:
        """Neither what is told nor what is kept has an address in it."""
        home = self.world.home()
        client, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        client.say("offer", data=sdp(HOST, SRFLX, HOST_MDNS))
        client.say("ice-candidate", data={"candidate": SRFLX})
        assert ADDRESS not in json.dumps(self.trace(session_id))
        trace = self.world.hub.sessions.traces._under_way[session_id]
        kept = [getattr(each, name) for each in (trace, trace.client, trace.home) for name in each.__slots__]
        assert not any(isinstance(value, str | bytes | dict | list) for value in kept), kept

    def test_only_what_was_forwarded(self) -> None:
        home, stranger = self.world.home(), self.world.home("OTHER", "192.0.2.9")
        client, session_id = self.asked(home)
        client.say("offer", data=sdp(HOST))
        stranger.say("answer", sessionId=session_id, data=sdp(HOST))
        assert "offer" not in self.trace(session_id)["client"]
        assert "answer" not in self.trace(session_id)["home"]

    def test_remembered_for_ten_minutes(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        self.world.advance(1000)
        client.goodbye()
        self.world.advance(REMEMBERED - 1)
        assert self.trace(session_id)["end"] == "client-left"
        self.world.advance(2)
        assert self.world.trace(session_id) is None
        assert not len(self.world.hub.sessions.traces)


class BoundsTest(SynchronousTestCase):
    """Many traces cost little, and the oldest go first."""

    def test_oldest_go_first(self) -> None:
        traces = SessionTraces(3)
        begun = {name: traces.begin(name, 1.0) for name in "abc"}
        ended = begun["b"]
        assert ended is not None
        ended.ended(End.CLIENT_LEFT, 2.0)
        traces.ended("b", 2.0)
        traces.begin("d", 3.0)
        assert [bool(traces.find(name, 3.0)) for name in "abcd"] == [True, False, True, True]
        traces.begin("e", 4.0)
        assert [bool(traces.find(name, 4.0)) for name in "acde"] == [False, True, True, True]
        # The session of a forgotten trace goes on, and ends.
        traces.ended("a", 5.0)
        assert len(traces) == 3

    def test_size_of_one(self) -> None:
        """Whatever peers send, a trace has the same size, below 2 KiB."""
        trace = SessionTrace(1e9)
        for number in range(1000):
            at = 1e9 + number
            for side in (trace.client, trace.home):
                side.sent("offer", bytes((0,)), at)
                side.sent("ice-candidate", bytes((6,)), at)
        parts: list[SessionTrace | Side] = [trace, trace.client, trace.home]
        kept = [getattr(part, name) for part in parts for name in part.__slots__]
        size = sum(sys.getsizeof(each) for each in {id(each): each for each in (*parts, *kept)}.values())
        assert size < 2048, size

    def test_off(self) -> None:
        world = World(session_traces=0)
        home = world.home()
        client = world.client()
        session_id = world.session(home, client)
        client.say("offer", data=sdp(HOST))
        home.breaks()
        world.home()
        assert world.trace(session_id) is None
        assert world.hub.sessions.get(session_id) is not None
        client.goodbye()
