"""What the trace of a session says of why it failed."""

from __future__ import annotations

from ma_signaling.core.candidate_counts import END
from ma_signaling.core.session_trace import Side
from tests.support.memory_hub import World
from tests.support.sample_candidates import HOST, HOST_MDNS, RELAY, SRFLX, sdp
from tests.support.trace_cases import TraceTestCase


class VerdictsTest(TraceTestCase):
    """What each course of events comes down to."""

    def test_before_the_answer(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        assert self.verdict(session_id) == "waiting"
        home.say("session-ready", sessionId=session_id)
        assert self.verdict(session_id) == "no-offer"
        client.say("offer", data=sdp(HOST))
        assert self.verdict(session_id) == "no-answer"
        client.goodbye()
        assert self.verdict(session_id) == "no-answer"

    def test_silent_home(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        self.world.advance(10)
        assert self.trace(session_id)["ready"] is False
        client.say("offer", data=sdp(HOST))
        assert self.verdict(session_id) == "home-silent"

    def test_client_gave_up(self) -> None:
        client, session_id = self.asked(self.world.home())
        client.breaks()
        assert self.verdict(session_id) == "client-gave-up"
        assert self.trace(session_id)["end"] == "client-lost"

    def test_client_asked_again(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        client.say("connect-request", remoteId="HOME")
        trace = self.trace(session_id)
        assert (trace["end"], trace["endedBy"]) == ("client-asked-again", "client")

    def test_home_lost_and_back(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        client.say("offer", data=sdp(HOST))
        self.world.advance(1)
        home.breaks()
        assert self.verdict(session_id) == "home-away"
        self.world.advance(10)
        self.world.home()
        trace = self.trace(session_id)
        assert (trace["homeLost"], trace["homeReturned"]) == (1000, 11000)
        assert trace["verdict"]["code"] == "no-answer"

    def test_home_lost_again(self) -> None:
        """It is the latest break that is told."""
        home = self.world.home()
        _, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        for lost_at in (1000, 3000):
            self.world.advance(1)
            home.breaks()
            trace = self.trace(session_id)
            assert trace["homeLost"] == lost_at
            assert "homeReturned" not in trace
            self.world.advance(1)
            home = self.world.home()
            assert self.trace(session_id)["homeReturned"] == lost_at + 1000

    def test_home_lost_for_good(self) -> None:
        home = self.world.home()
        _, session_id = self.asked(home)
        home.say("session-ready", sessionId=session_id)
        home.breaks()
        self.world.advance(self.world.settings.grace)
        assert self.verdict(session_id) == "home-did-not-return"
        trace = self.trace(session_id)
        assert (trace["end"], trace["endedBy"]) == ("home-lost", "home")

    def test_home_did_not_return_for_a_parked_request(self) -> None:
        home = self.world.home()
        client, session_id = self.asked(home)
        home.breaks()
        assert self.verdict(session_id) == "home-away"
        self.world.advance(self.world.settings.park)
        assert client.types() == ["error"]
        assert self.verdict(session_id) == "home-did-not-return"
        trace = self.trace(session_id)
        assert (trace["end"], trace["endedBy"]) == ("park-expired", "server")

    def test_home_left(self) -> None:
        home = self.world.home()
        _, session_id = self.asked(home)
        home.goodbye()
        assert self.verdict(session_id) == "home-left"

    def test_crowded_out(self) -> None:
        self.world = World(home_sessions=2)
        home = self.world.home()
        self.asked(home)
        _, session_id = self.asked(home)
        self.world.client(text="198.51.100.2")
        assert self.verdict(session_id) == "home-busy"

    def test_server_stops(self) -> None:
        home = self.world.home()
        client, waiting = self.asked(home)
        client, calling = self.asked(home)
        home.say("session-ready", sessionId=calling)
        client.say("offer", data=sdp(HOST))
        while self.world.hub.drain(1):
            pass
        for session_id in (waiting, calling):
            assert self.verdict(session_id) == "server-stopped"
            assert self.trace(session_id)["endedBy"] == "server"

    def test_after_the_answer(self) -> None:
        cases = [
            ((), (HOST,), "no-client-candidates"),
            ((HOST,), (), "no-home-candidates"),
            ((HOST_MDNS,), (HOST,), "only-local"),
            ((SRFLX,), (HOST,), "no-relay"),
            ((HOST,), (HOST, SRFLX), "no-relay"),
            ((HOST,), (RELAY,), "negotiated"),
            ((RELAY,), (HOST,), "negotiated"),
        ]
        home = self.world.home()
        for offered, answered, code in cases:
            client, session_id = self.asked(home)
            home.say("session-ready", sessionId=session_id)
            client.say("offer", data=sdp(*offered))
            home.say("answer", sessionId=session_id, data=sdp(*answered))
            assert self.verdict(session_id) == code, (offered, answered)

    def test_end_of_candidates_is_none(self) -> None:
        side = Side()
        side.sent("ice-candidate", bytes((END,)), 1.0)
        assert not side.has_any()
