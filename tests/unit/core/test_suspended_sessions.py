"""Answered sessions of a home that another connection holds now: they wait until it has proved itself."""

from __future__ import annotations

from tests.support.takeover_case import OWNER, ProvableTestCase


class WaitingTest(ProvableTestCase):
    """A vacant Remote ID, or one in grace, goes to whoever registers it; answered sessions wait for its proof."""

    def setUp(self) -> None:
        super().setUp()
        self.call_up()
        self.home.breaks()

    def test_they_go_on_with_whoever_proves_itself(self) -> None:
        self.client.say("ice-candidate", data=1)
        home = self.newcomer("192.0.2.77")
        assert home.types() == ["registered", "client-connected"]
        self.client.say("ice-candidate", data=2)
        self.asked(home).asked.proved()
        assert home.types()[2:] == ["client-disconnected", "ice-candidate", "ice-candidate"]
        home.say("answer", sessionId=self.session_id, data=3)
        assert self.client.types() == ["answer"]
        self.world.advance(600)
        assert self.world.clock.timers == []

    def test_nothing_waits_any_more(self) -> None:
        """A home whose session waited in vain gets what comes together by one write again."""
        home = self.newcomer(OWNER)
        self.client.say("ice-candidate", data=1)
        self.client.goodbye()
        held = self.world.hub.registry.held_by(home.connection)
        assert held is not None
        self.world.advance(600)
        assert held.is_at_hand

    def test_an_address_is_no_proof(self) -> None:
        squatter = self.newcomer(OWNER)
        self.asked(squatter).asked.failed("another certificate")
        self.client.say("ice-candidate", data=1)
        assert squatter.types() == ["registered", "client-connected", "client-disconnected"]

    def test_an_offer_that_waits_gives_a_silent_holder_no_time(self) -> None:
        """It has nothing to answer."""
        squatter = self.newcomer("192.0.2.77")
        self.client.say("offer", data={"iceRestart": True})
        self.newcomer()
        self.world.advance(5)
        assert squatter.dropped

    def test_an_offer_that_has_waited_gives_it_time(self) -> None:
        self.client.say("offer", data={"iceRestart": True})
        home = self.newcomer("192.0.2.77")
        self.asked(home).asked.proved()
        self.newcomer()
        self.world.advance(5)
        assert home.is_there

    def test_it_is_asked_again(self) -> None:
        """Its network may have come back a moment before its UDP."""
        home = self.newcomer(OWNER)
        self.asked(home).asked.failed("no answer")
        home.forget()
        self.world.advance(60)
        self.asked(home).asked.proved()
        self.client.say("ice-candidate", data=1)
        assert home.types() == ["client-connected", "client-disconnected", "ice-candidate"]

    def test_this_proof_does_not_count_in_a_contest(self) -> None:
        """Only one that a holder gives while somebody contends: until then nobody else is there to give it."""
        home = self.newcomer(OWNER)
        self.asked(home).asked.proved()
        home.forget()
        self.newcomer()
        assert home.types() == ["client-connected"]

    def test_one_proof_is_for_both(self) -> None:
        home = self.newcomer(OWNER)
        stranger = self.newcomer()
        assert len(self.prover.proofs) == 1
        self.asked(home).asked.proved()
        self.assert_refused(stranger)
        self.client.say("ice-candidate", data=1)
        assert home.types()[-1] == "ice-candidate"

    def test_the_end_of_a_contest_does_not_end_it(self) -> None:
        home = self.newcomer(OWNER)
        self.newcomer().goodbye()
        self.asked(home).asked.proved()
        self.client.say("ice-candidate", data=1)
        assert home.types()[-1] == "ice-candidate"

    def test_the_owner_gets_them_from_a_squatter(self) -> None:
        squatter = self.newcomer()
        self.client.say("ice-candidate", data=1)
        owner = self.newcomer(OWNER)
        squatter.pong()
        self.world.advance(10)
        self.asked(owner).asked.proved()
        assert owner.types()[-2:] == ["registered", "ice-candidate"]
        assert squatter.heard_of("ice-candidate") == []
        assert self.client.heard == []

    def test_they_wait_as_long_for_the_owner_when_a_squatter_has_left(self) -> None:
        """A gateway that was refused comes back after up to five minutes."""
        squatter = self.newcomer()
        self.world.advance(590)
        squatter.goodbye()
        self.world.advance(300)
        owner = self.newcomer(OWNER)
        self.asked(owner).asked.proved()
        self.client.say("ice-candidate", data=1)
        assert owner.types()[-1] == "ice-candidate"

    def test_they_end_in_silence_when_a_squatter_has_left(self) -> None:
        squatter = self.newcomer()
        self.world.advance(30)
        squatter.goodbye()
        self.world.advance(599)
        assert self.world.hub.counts()["clients"] == 1
        self.world.advance(61)
        assert self.world.hub.counts()["clients"] == 0
        assert self.client.heard == []
        assert self.world.clock.timers == []

    def test_nobody_is_asked_where_nothing_waits(self) -> None:
        self.client.goodbye()
        home = self.newcomer(OWNER)
        assert home.types() == ["registered", "client-disconnected"]
        assert self.prover.proofs == []

    def test_they_wait_on_while_this_server_stops(self) -> None:
        """That takes half a minute: neither side hears the other, nor the client that a squatter has left."""
        squatter = self.newcomer()
        self.asked(squatter).asked.failed("another certificate")
        squatter.forget()
        self.world.hub.drain(0)
        self.client.say("ice-candidate", data=1)
        squatter.say("answer", sessionId=self.session_id, data=2)
        self.world.advance(60)
        assert squatter.heard == []
        squatter.goodbye()
        assert self.client.heard == []
