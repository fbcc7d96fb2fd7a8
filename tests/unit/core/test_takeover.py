"""Takeover: who gets a Remote ID that another one holds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_hub import FakePeer, World

OWNER, STRANGER, THIRD = "192.0.2.1", "203.0.113.1", "203.0.113.2"
TAKEN = [
    {"type": "error", "error": "Remote ID is in use by a server that is online", "code": "remote-id-taken"}
]
REGISTERED = [{"type": "registered", "remoteId": "HOME"}]


class TakeoverTestCase(SynchronousTestCase):
    """A home with a client whose call is up."""

    def setUp(self) -> None:
        self.world = World()
        self.home = self.world.home(text=OWNER)
        self.client = self.world.client()
        self.session_id = self.world.session(self.home, self.client)

    def newcomer(self, text: str, *, shared: bool = False) -> FakePeer:
        """A connection that asks for the home's Remote ID."""
        peer = self.world.connect(text, shared=shared)
        peer.say("register-server", remoteId="HOME")
        return peer

    def assert_refused(self, *newcomers: FakePeer) -> None:
        for newcomer in newcomers:
            assert newcomer.heard == TAKEN
            assert newcomer.closed == (1013, "Remote ID is in use")

    def call_up(self) -> None:
        """The home answers its client."""
        self.home.say("answer", sessionId=self.session_id, data={})
        self.client.forget()


class EntitledTest(TakeoverTestCase):
    """The same address, or the senior one: at once."""

    def test_same_address(self) -> None:
        self.call_up()
        newcomer = self.newcomer(OWNER)
        assert self.home.closed == (4000, "Replaced by new connection")
        assert newcomer.heard == REGISTERED
        self.home.breaks()
        self.client.say("ice-candidate", data=1)
        assert newcomer.heard[-1]["sessionId"] == self.session_id
        assert self.client.heard == []

    def test_pending_sessions_are_announced_again(self) -> None:
        """Defect 12."""
        waiting = self.world.client()
        pending_id = self.home.heard[-1]["sessionId"]
        self.call_up()
        newcomer = self.newcomer(OWNER)
        assert newcomer.heard == [*REGISTERED, {"type": "client-connected", "sessionId": pending_id}]
        newcomer.say("session-ready", sessionId=pending_id)
        assert waiting.types() == ["connected"]

    def test_open_sessions_in_which_no_home_spoke_are_announced_again(self) -> None:
        newcomer = self.newcomer(OWNER)
        assert newcomer.heard == [*REGISTERED, {"type": "client-connected", "sessionId": self.session_id}]
        newcomer.say("session-ready", sessionId=self.session_id)
        assert self.client.heard == []

    def test_same_ipv6_network(self) -> None:
        home = self.world.home("SIX", "2001:db8::1")
        newcomer = self.world.connect("2001:db8::2")
        newcomer.say("register-server", remoteId="SIX")
        assert home.closed == (4000, "Replaced by new connection")

    def test_senior_finds_a_squatter(self) -> None:
        self.world.advance(3600)
        self.home.goodbye()
        squatter = self.newcomer(STRANGER)
        assert squatter.heard == REGISTERED
        self.world.advance(3599)
        owner = self.newcomer(OWNER)
        assert owner.heard == REGISTERED
        assert squatter.closed == (4000, "Replaced by new connection")

    def test_seniority_is_forgotten_after_a_day(self) -> None:
        self.world.advance(3600)
        self.home.goodbye()
        self.world.advance(86400 - 10)
        squatter = self.newcomer(STRANGER)
        self.world.advance(10)
        owner = self.newcomer(OWNER)
        assert owner.heard == []
        squatter.pong()
        self.assert_refused(owner)

    def test_less_than_an_hour_is_no_seniority(self) -> None:
        self.world.advance(3599)
        self.home.goodbye()
        squatter = self.newcomer(STRANGER)
        self.newcomer(OWNER)
        assert squatter.closed is None

    def test_who_held_it_for_an_hour_since_is_the_senior(self) -> None:
        self.world.advance(3600)
        self.home.goodbye()
        heir = self.newcomer(STRANGER)
        self.world.advance(3600)
        self.newcomer(OWNER)
        assert heir.closed is None
        assert heir.pings

    def test_short_absences_count_as_holding(self) -> None:
        for _ in range(4):
            self.world.advance(900)
            self.home.breaks()
            self.home = self.newcomer(OWNER)
        self.home.goodbye()
        squatter = self.newcomer(STRANGER)
        assert self.newcomer(OWNER).heard == REGISTERED
        assert squatter.closed is not None


class CheckedTest(TakeoverTestCase):
    """Another address: the holder is asked for a sign of life."""

    def test_live_holder(self) -> None:
        """Defect 2: a stranger can't close an owner with 4000."""
        newcomer = self.newcomer(STRANGER)
        assert newcomer.heard == []
        assert len(self.home.pings[0]) == 8
        self.home.pong()
        self.assert_refused(newcomer)
        assert self.home.is_there
        self.client.say("offer", data={})
        assert self.home.types() == ["offer"]

    def test_holder_that_answers_at_the_last_moment(self) -> None:
        newcomer = self.newcomer(STRANGER)
        self.world.advance(4.99)
        assert newcomer.heard == []
        self.home.pong()
        self.assert_refused(newcomer)
        self.world.advance(60)
        assert self.home.is_there

    def test_only_an_answer_to_this_ping_counts(self) -> None:
        newcomer = self.newcomer(STRANGER)
        self.home.pong(b"")
        self.home.say("ping")
        self.client.connection.peer.ping(self.home.pings[0])
        self.client.pong()
        assert newcomer.heard == []
        self.world.advance(5)
        assert newcomer.heard == REGISTERED

    def test_each_check_has_a_payload_of_its_own(self) -> None:
        """An answer to an earlier one proves nothing."""
        first = self.newcomer(STRANGER)
        self.home.pong()
        self.assert_refused(first)
        second = self.newcomer(THIRD)
        earlier, latest = self.home.pings
        assert earlier != latest
        self.home.pong(earlier)
        assert second.heard == []
        self.home.pong(latest)
        self.assert_refused(second)

    def test_frozen_holder(self) -> None:
        """It is dropped without a close frame, never with 4000; the newcomer doesn't see its sessions."""
        newcomer = self.newcomer(STRANGER)
        self.world.advance(5)
        assert self.home.dropped
        assert self.home.closed is None
        assert newcomer.heard == REGISTERED
        self.client.say("offer", data="secret")
        newcomer.say("answer", sessionId=self.session_id, data={})
        assert newcomer.heard[1]["code"] == "client-not-found"
        assert len(newcomer.heard) == 2
        assert self.client.heard == []
        self.world.advance(45)
        assert self.client.heard == []
        assert self.world.hub.counts()["clients"] == 0

    def test_frozen_holder_thaws(self) -> None:
        """Its owner is back within the grace time, wins by seniority, and finds its sessions and what was held."""
        self.world.advance(3600)
        self.call_up()
        newcomer = self.newcomer(STRANGER)
        self.world.advance(5)
        self.client.say("ice-candidate", data="held")
        waiting = self.world.client()
        self.world.advance(10)
        owner = self.newcomer(OWNER)
        assert newcomer.closed == (4000, "Replaced by new connection")
        assert owner.types() == ["registered", "client-connected", "ice-candidate"]
        owner.say("session-ready", sessionId=owner.heard[1]["sessionId"])
        assert waiting.types() == ["connected"]
        owner.say("answer", sessionId=self.session_id, data={})
        assert self.client.types() == ["answer"]

    def test_request_pending_at_a_frozen_holder(self) -> None:
        waiting = self.world.client()
        self.newcomer(STRANGER)
        self.world.advance(5)
        assert waiting.heard == []
        self.world.advance(15)
        assert [message["code"] for message in waiting.heard] == ["server-not-found"]

    def test_two_newcomers_share_a_refusal(self) -> None:
        first, second = self.newcomer(STRANGER), self.newcomer(THIRD)
        assert len(self.home.pings) == 1
        self.home.pong()
        self.assert_refused(first, second)

    def test_first_of_two_newcomers_wins(self) -> None:
        first = self.newcomer(STRANGER)
        self.world.advance(3)
        second = self.newcomer(THIRD)
        self.world.advance(2)
        assert first.heard == REGISTERED
        self.assert_refused(second)

    def test_newcomer_leaves(self) -> None:
        first, second = self.newcomer(STRANGER), self.newcomer(THIRD)
        first.goodbye()
        self.world.advance(5)
        assert second.heard == REGISTERED

    def test_last_newcomer_leaves(self) -> None:
        self.newcomer(STRANGER).breaks()
        self.world.advance(60)
        assert self.home.is_there

    def test_holder_says_goodbye_meanwhile(self) -> None:
        first, second = self.newcomer(STRANGER), self.newcomer(THIRD)
        self.home.goodbye()
        assert first.heard == REGISTERED
        self.assert_refused(second)
        assert self.client.heard == [{"type": "peer-disconnected"}]

    def test_holder_breaks_meanwhile(self) -> None:
        newcomer = self.newcomer(STRANGER)
        self.home.breaks()
        assert newcomer.types() == ["registered", "client-connected"]
        assert self.client.heard == []

    def test_holder_moves_to_another_id_meanwhile(self) -> None:
        newcomer = self.newcomer(STRANGER)
        self.home.say("register-server", remoteId="ELSEWHERE")
        assert newcomer.heard == REGISTERED
        assert self.home.types() == ["registered"]

    def test_owner_restarts_meanwhile(self) -> None:
        newcomer = self.newcomer(STRANGER)
        owner = self.newcomer(OWNER)
        assert owner.types() == ["registered", "client-connected"]
        self.assert_refused(newcomer)

    def test_newcomer_who_asks_twice(self) -> None:
        newcomer = self.newcomer(STRANGER)
        newcomer.say("register-server", remoteId="HOME")
        self.home.pong()
        self.assert_refused(newcomer)

    def test_newcomer_has_a_role(self) -> None:
        newcomer = self.newcomer(STRANGER)
        newcomer.say("connect-request", remoteId="HOME")
        assert newcomer.heard[0]["code"] == "wrong-role"

    def test_newcomer_keeps_its_old_id_until_the_new_one_is_granted(self) -> None:
        newcomer = self.world.home("OLD", STRANGER)
        newcomer.say("register-server", remoteId="HOME")
        assert self.world.hub.counts()["servers"] == 2
        self.world.advance(5)
        assert newcomer.heard == REGISTERED
        assert self.world.hub.counts()["servers"] == 1

    def test_where_everybody_looks_the_same(self) -> None:
        """An equal address proves nothing behind a proxy that isn't trusted."""
        world = World()
        home = world.connect(OWNER, shared=True)
        home.say("register-server", remoteId="HOME")
        newcomer = world.connect(OWNER, shared=True)
        newcomer.say("register-server", remoteId="HOME")
        assert home.closed is None
        home.pong()
        self.assert_refused(newcomer)
