"""Loss and grace: a home whose connection breaks is probably coming back, and calls live on."""

from __future__ import annotations

from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.connection import Role
from tests.support.memory_hub import FakePeer, World

NOT_FOUND = "server-not-found"


class GraceTest(SynchronousTestCase):
    """Defect 18: a blip must not tear down healthy calls."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home()
        self.client = self.world.client()
        self.session_id = self.world.session(self.home, self.client)

    def returned(self, text: str = "192.0.2.1") -> FakePeer:
        """The home, back on a new connection."""
        home = self.world.connect(text)
        home.say("register-server", remoteId="HOME")
        return home

    def test_nobody_hears_of_a_blip(self) -> None:
        self.home.say("answer", sessionId=self.session_id, data={})
        self.home.breaks()
        self.world.advance(44)
        home = self.returned()
        assert home.heard == [{"type": "registered", "remoteId": "HOME"}]
        assert self.client.types() == ["answer"]
        self.client.say("ice-candidate", data={})
        home.say("ice-candidate", sessionId=self.session_id, data={})
        assert home.types()[-1] == self.client.types()[-1] == "ice-candidate"

    def test_the_registration_that_follows_takes_the_sessions_over(self) -> None:
        """From whatever address: a home's own changes when its line comes back."""
        self.home.breaks()
        assert self.returned("203.0.113.7").types() == [
            "registered",
            "client-disconnected",
            "client-connected",
        ]

    def test_home_that_does_not_return(self) -> None:
        self.home.breaks()
        self.world.advance(44.9)
        assert self.client.heard == []
        self.world.advance(0.1)
        assert self.client.heard == [{"type": "peer-disconnected"}]
        assert self.world.clock.timers == []

    def test_no_grace(self) -> None:
        world = World(grace=0)
        home = world.home()
        client = world.client()
        world.session(home, client)
        waiting = world.client()
        home.breaks()
        assert client.heard == [{"type": "peer-disconnected"}]
        assert waiting.codes() == ["server-disconnected"]

    def test_offline_to_check_meanwhile(self) -> None:
        address = self.client.connection.address
        assert self.world.is_online(address, "HOME")
        self.home.breaks()
        assert not self.world.is_online(address, "HOME")
        assert self.world.hub.counts()["servers"] == 0

    def test_what_clients_send_is_held_and_delivered_in_order(self) -> None:
        """Of one that has left only its goodbye."""
        other = self.world.client()
        other_id = self.world.session(self.home, other)
        for session_id in (self.session_id, other_id):
            self.home.say("answer", sessionId=session_id, data={})
        self.home.breaks()
        for number in range(5):
            (self.client, other)[number % 2].say("ice-candidate", data=number)
        other.goodbye()
        self.client.say("ice-candidate", data=5)
        home = self.returned()
        assert [message.get("data") for message in home.heard] == [None, 0, 2, 4, None, 5]
        assert home.heard[4] == {"type": "client-disconnected", "sessionId": other_id}

    def test_held_messages_are_bounded(self) -> None:
        self.home.say("answer", sessionId=self.session_id, data={})
        self.home.breaks()
        for _ in range(5):
            self.client.say("ice-candidate", data="x" * 60_000)
        assert self.client.codes() == []
        assert len(self.returned().heard_of("ice-candidate")) == 4

    def test_request_while_the_home_is_away_is_parked(self) -> None:
        self.home.breaks()
        waiting = self.world.client()
        self.world.advance(10)
        assert waiting.heard == []
        home = self.returned()
        home.say("session-ready", sessionId=home.heard_of("client-connected")[-1]["sessionId"])
        assert waiting.types() == ["connected"]

    def test_request_pending_at_the_break_is_announced_again(self) -> None:
        waiting = self.world.client()
        pending_id = self.home.heard[-1]["sessionId"]
        self.world.advance(5)
        self.home.breaks()
        self.world.advance(10)
        home = self.returned()
        assert {"type": "client-connected", "sessionId": pending_id} in home.heard
        self.world.advance(9.9)
        assert waiting.heard == []
        self.world.advance(0.1)
        assert waiting.types() == ["connected"]

    def test_parked_for_twenty_seconds_at_most(self) -> None:
        waiting = self.world.client()
        self.world.advance(5)
        self.home.breaks()
        self.world.advance(14.9)
        assert waiting.heard == []
        self.world.advance(0.1)
        assert waiting.codes() == [NOT_FOUND]
        home = self.returned()
        assert home.types() == [
            "registered",
            "client-disconnected",
            "client-connected",
            "client-disconnected",
        ]
        assert [message["sessionId"] == self.session_id for message in home.heard[1:]] == [True, True, False]

    def test_parked_request_whose_home_never_heard_of_it(self) -> None:
        self.home.breaks()
        waiting = self.world.client()
        self.world.advance(20)
        assert waiting.codes() == [NOT_FOUND]
        assert [message["sessionId"] for message in self.returned().heard[1:]] == [self.session_id] * 2

    def test_answered_twenty_five_seconds_after_the_request_at_the_latest(self) -> None:
        self.home.breaks()
        waiting = self.world.client()
        self.world.advance(19)
        self.returned()
        self.world.advance(5.9)
        assert waiting.heard == []
        self.world.advance(0.1)
        assert waiting.types() == ["connected"]

    def test_parked_request_when_the_grace_time_is_over(self) -> None:
        self.home.breaks()
        self.world.advance(40)
        waiting = self.world.client()
        self.world.advance(19.9)
        assert waiting.codes() == []
        self.world.advance(0.1)
        assert waiting.codes() == [NOT_FOUND]

    def test_parked_request_hears_the_same_whatever_ends_the_wait(self) -> None:
        """It is told after its 20 s that nobody came; the home has not left while it waited."""

        def reload(name: str, value: float) -> None:
            setattr(self.world.settings, name, value)

        def ban() -> None:
            self.world.hub.bans.add("HOME", None)
            for _ in range(2):
                assert not any(self.world.hub.enforce_access())

        for is_answered in (False, True):
            for change in (partial(reload, "grace", 0), partial(reload, "park", 1), ban):
                for away_for in (10, 30, 40):
                    self.setUp()
                    if is_answered:
                        self.home.say("answer", sessionId=self.session_id, data={})
                    announced = self.world.client()
                    self.home.breaks()
                    self.world.advance(away_for)
                    assert announced.codes() == ([NOT_FOUND] if away_for > 20 else [])
                    waiting = self.world.client()
                    self.world.advance(1)
                    change()
                    self.world.advance(18.9)
                    assert waiting.heard == []
                    self.world.advance(0.1)
                    assert waiting.codes() == announced.codes() == [NOT_FOUND]
                    assert waiting.connection.role is Role.NONE
                    self.world.advance(700)
                    assert self.world.hub.registry.find("HOME") is None
                    assert self.world.clock.timers == []

    def test_a_ban_that_is_lifted_while_somebody_waits(self) -> None:
        self.home.breaks()
        waiting = self.world.client()
        self.world.hub.bans.add("HOME", None)
        list(self.world.hub.enforce_access())
        assert self.world.client().codes() == [NOT_FOUND]
        self.world.hub.bans.remove("HOME")
        assert self.returned().types() == ["registered", "client-connected"]
        assert waiting.codes() == []

    def test_asked_for_when_the_grace_time_is_over(self) -> None:
        """Nobody is let to wait any more, and asking is a guess; who waits already may still be lucky."""
        self.home.breaks()
        self.world.advance(40)
        waiting = self.world.client()
        self.world.advance(10)
        assert self.world.client().codes() == [NOT_FOUND]
        assert self.world.hub.limits.counts()["failedLookupTracked"] == 1
        home = self.returned()
        assert home.types() == ["registered", "client-connected"]
        assert waiting.codes() == []

    def test_nobody_who_asks_prolongs_it(self) -> None:
        """Ten minutes for answered sessions from the end of the grace time, whoever asks for the home meanwhile."""
        self.home.say("answer", sessionId=self.session_id, data={})
        self.home.breaks()
        for _ in range(64):
            waiting = self.world.client()
            self.world.advance(10)
        assert self.world.hub.counts()["clients"] == 1
        self.world.advance(5)
        assert self.world.hub.counts()["clients"] == 0
        assert self.world.client().codes() == [NOT_FOUND]
        assert waiting.codes() == []
        self.world.advance(5)
        assert waiting.codes() == [NOT_FOUND], "it has its 20 s"
        self.world.advance(20)
        assert self.world.hub.registry.find("HOME") is None
        assert len(self.world.hub.registry.expected) == 0
        assert self.world.clock.timers == []

    def test_checked_when_the_grace_time_is_over(self) -> None:
        address = self.client.connection.address
        self.home.breaks()
        self.world.advance(40)
        self.world.client()
        assert not self.world.is_online(address, "HOME")
        assert self.world.hub.limits.counts()["failedLookupTracked"] == 0
        self.world.advance(10)
        assert not self.world.is_online(address, "HOME")
        assert self.world.hub.limits.counts()["failedLookupTracked"] == 1

    def test_parked_client_leaves(self) -> None:
        self.home.say("answer", sessionId=self.session_id, data={})
        self.home.breaks()
        waiting = self.world.client()
        waiting.goodbye()
        assert self.returned().types() == ["registered"]

    def test_home_that_breaks_twice(self) -> None:
        for _ in range(3):
            self.home.breaks()
            self.world.advance(30)
            self.home = self.returned()
        assert self.client.heard == []
        assert self.world.clock.timers == []
