"""Sessions that the home has answered: the call is probably up, and hears no word whatever becomes of signaling."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event
from tests.support.memory_hub import World


class AnsweredTest(SynchronousTestCase):
    """One home, one client, and a call."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()
        self.client = self.world.client()
        self.session_id = self.world.session(self.home, self.client)
        self.client.say("offer", data={})
        self.home.say("answer", sessionId=self.session_id, data={})
        self.client.forget()

    def test_home_comes_back_after_its_grace_time(self) -> None:
        """Its retries come after 10, 30, 70 s."""
        self.home.breaks()
        self.world.advance(70)
        assert self.client.heard == []
        waiting = self.world.client()
        self.world.advance(12)
        home = self.world.connect("192.0.2.1")
        home.say("register-server", remoteId="HOME")
        assert home.types() == ["registered", "client-connected"], "of the one that waits alone"
        assert waiting.heard == []
        self.client.say("offer", data="ICE restart")
        assert home.heard[-1]["data"] == "ICE restart"
        home.say("answer", sessionId=self.session_id, data={})
        assert self.client.types() == ["answer"]

    def test_home_that_never_comes_back(self) -> None:
        self.home.breaks()
        self.world.advance(700)
        assert self.client.heard == []
        assert len(self.world.hub.sessions) == 0
        assert self.world.hub.registry.find("HOME") is None
        assert self.world.clock.timers == []

    def test_no_word_of_an_error(self) -> None:
        self.client.say_bytes(b"nonsense")
        self.client.say("unknown")
        for _ in range(250):
            self.client.say("offer", data={})
        self.home.goodbye()
        self.client.forget()
        self.world.advance(61)
        self.client.say("offer", data={})
        assert self.client.heard == []

    def test_a_new_request_hears_errors_again(self) -> None:
        self.client.say("connect-request", remoteId="NOBODY")
        assert self.client.codes() == ["server-not-found"]

    def test_a_flood_is_closed_in_silence(self) -> None:
        for _ in range(300):
            self.client.say("offer", data={})
        assert self.client.closed == (4029, "Rate limited")
        assert self.client.heard == []

    def test_earlier_session(self) -> None:
        """What names an earlier session of this connection is meant for nobody."""
        self.client.say("connect-request", remoteId="HOME")
        self.world.session(self.home, self.client)
        self.client.say("ice-candidate", sessionId=self.session_id, data="late")
        self.client.say("ice-candidate", sessionId="anything", data="new")
        assert [message["data"] for message in self.home.heard] == ["new"]
        assert self.client.heard == []

    def test_earlier_sessions_without_end(self) -> None:
        """However many there were. Without an ID, or with the present one, it is meant for the present one."""
        names = [self.session_id]
        for _ in range(30):
            self.world.advance(6)
            self.client.say("connect-request", remoteId="HOME")
            names.append(self.world.session(self.home, self.client))
        for name in names[:-1]:
            self.client.say("ice-candidate", sessionId=name, data="late")
        for fields in ({"sessionId": names[-1]}, {"sessionId": None}, {"sessionId": ""}, {}):
            self.client.say("ice-candidate", data="new", **fields)
        assert [message["data"] for message in self.home.heard] == ["new"] * 4
        assert {message["sessionId"] for message in self.home.heard} == {names[-1]}
        assert self.client.heard == []

    def test_what_is_dropped_in_silence_is_counted(self) -> None:
        """By what its sender would have heard, whoever it is."""

        def dropped() -> list[object]:
            counted = [more["reason"] for event, more in self.world.events if event is Event.MESSAGE_DROPPED]
            self.world.events.clear()
            return counted

        self.client.say("unknown")
        assert dropped() == ["unknown-type"]
        self.home.say("ice-candidate", data={})
        self.home.say("ice-candidate", sessionId="unknown", data={})
        assert dropped() == ["session-id-required", "client-not-found"]
        self.client.say("connect-request", remoteId="HOME")
        self.client.say("ice-candidate", data="early")
        self.client.say("offer", sessionId=self.session_id, data="late")
        self.home.say("answer", sessionId=self.session_id, data="late")
        assert dropped() == ["session-not-found", "session-not-found", "client-not-found"]
        self.home.goodbye()
        self.client.forget()
        self.client.say("offer", data="late")
        assert dropped() == ["session-not-found"]
        assert self.client.heard == []

    def test_late_candidate_on_a_new_connection(self) -> None:
        stranger = self.world.connect()
        stranger.say("ice-candidate", data={})
        assert stranger.heard == []
