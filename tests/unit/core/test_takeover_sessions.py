"""What becomes of a home's sessions when another connection gets its Remote ID."""

from __future__ import annotations

from ma_signaling.core.events import Event
from tests.support.takeover_case import OWNER, TakeoverTestCase

REGISTERED = [{"type": "registered", "remoteId": "HOME"}]


class SessionsTest(TakeoverTestCase):
    """Those that are pending or unanswered begin anew, answered ones wait."""

    def test_pending_and_unanswered_sessions_begin_anew(self) -> None:
        """Defect 12."""
        self.client.say("offer", data="lost with the old connection")
        self.home.say("ice-candidate", sessionId=self.session_id, data={})
        waiting = self.world.client()
        pending_id = self.home.heard[-1]["sessionId"]
        newcomer = self.newcomer()
        self.world.advance(20)
        announced = [message["sessionId"] for message in newcomer.heard_of("client-connected")]
        assert announced == [self.session_id, pending_id]
        assert waiting.types() == ["connected"]
        newcomer.say("session-ready", sessionId=pending_id)
        assert waiting.types() == ["connected"]

    def test_answered_session_goes_on_from_the_same_address(self) -> None:
        self.call_up()
        newcomer = self.newcomer(OWNER)
        self.client.say("ice-candidate", data="before")
        self.world.advance(5)
        assert newcomer.types() == ["registered"]
        assert self.client.heard == []
        self.client.say("ice-candidate", data="after")
        newcomer.say("answer", sessionId=self.session_id, data=1)
        assert [message["data"] for message in newcomer.heard_of("ice-candidate")] == ["after"]
        assert self.client.types() == ["answer"]

    def test_answered_session_waits_at_another_address(self) -> None:
        """A squatter sees nothing of it, and its client hears nothing of that."""
        self.call_up()
        squatter = self.newcomer()
        self.world.advance(5)
        self.client.say("offer", data="secret")
        for type in ("answer", "offer", "ice-candidate"):
            squatter.say(type, sessionId=self.session_id, data={})
        assert squatter.heard == REGISTERED
        assert self.client.heard == []

    def test_answered_session_goes_on_when_its_home_is_back(self) -> None:
        self.call_up()
        squatter = self.newcomer()
        self.world.advance(5)
        self.client.say("ice-candidate", data=1)
        squatter.goodbye()
        assert self.client.heard == []
        self.client.say("ice-candidate", data=2)
        self.world.advance(500)
        home = self.newcomer(OWNER)
        assert [message.get("data") for message in home.heard] == [None, 1, 2]
        home.say("ice-candidate", sessionId=self.session_id, data=3)
        assert self.client.types() == ["ice-candidate"]
        self.world.advance(600)
        assert self.world.clock.timers == []

    def test_where_everybody_looks_the_same_no_address_is_the_same(self) -> None:
        """Behind a proxy that isn't trusted."""
        self.call_up()
        newcomer = self.newcomer(OWNER, shared=True)
        self.world.advance(5)
        self.client.say("offer", data="secret")
        assert newcomer.heard == REGISTERED

    def test_answered_session_ends_in_silence(self) -> None:
        self.call_up()
        squatter = self.newcomer()
        self.world.advance(604.9)
        assert self.world.hub.counts()["clients"] == 1
        self.world.advance(0.1)
        assert self.world.hub.counts()["clients"] == 0
        assert self.client.heard == []
        assert squatter.heard == REGISTERED
        assert self.world.clock.timers == []

    def test_client_of_a_waiting_session_leaves(self) -> None:
        """The squatter hears nothing; the owner would."""
        self.call_up()
        squatter = self.newcomer()
        self.world.advance(5)
        self.client.goodbye()
        assert squatter.heard == REGISTERED
        self.world.advance(60)
        assert self.world.clock.timers == []
        assert squatter.heard == REGISTERED

    def test_what_waits_is_bounded(self) -> None:
        self.call_up()
        self.newcomer()
        self.world.advance(5)
        for _ in range(5):
            self.client.say("offer", data="x" * 60_000)
        assert self.client.codes() == [], "an error would end the call in the mobile app"
        assert self.world.reported().count(Event.MESSAGE_DROPPED) == 1

    def test_waiting_sessions_of_a_home_that_nobody_holds(self) -> None:
        """The home is forgotten with the last of them."""
        self.call_up()
        squatter = self.newcomer()
        self.world.advance(5)
        squatter.goodbye()
        assert self.world.hub.registry.find("HOME") is not None
        self.world.advance(600)
        assert self.world.hub.registry.find("HOME") is None
        assert self.world.clock.timers == []
