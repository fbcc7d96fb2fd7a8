"""The session in which a newcomer is asked for proof, as that newcomer and others see it."""

from __future__ import annotations

from tests.support.takeover_case import THIRD, ProvableTestCase


class SessionTest(ProvableTestCase):
    """The session in which a newcomer is asked, before it has any Remote ID."""

    def setUp(self) -> None:
        super().setUp()
        _, self.stranger, self.owner = self.sides()
        self.proof = self.asked(self.owner)
        self.proof_id = self.owner.heard[-1]["sessionId"]

    def test_messages(self) -> None:
        self.proof.asked.offer({"sdp": "ours"})
        assert self.owner.types() == ["client-connected"]
        self.owner.say("session-ready", sessionId=self.proof_id)
        assert self.owner.heard[1:] == [
            {"type": "offer", "sessionId": self.proof_id, "data": {"sdp": "ours"}}
        ]
        self.owner.say("answer", sessionId=self.proof_id, data={"sdp": "theirs"})
        self.owner.say("ice-candidate", sessionId=self.proof_id, data={"candidate": "x"})
        assert (self.proof.answers, self.proof.candidates) == ([{"sdp": "theirs"}], [{"candidate": "x"}])
        assert len(self.owner.heard) == 2

    def test_only_its_own(self) -> None:
        """Nobody answers in another one's place."""
        self.proof.asked.offer({})
        self.owner.say("session-ready", sessionId=self.proof_id)
        for peer in (self.stranger, self.client, self.home):
            peer.forget()
            peer.say("answer", sessionId=self.proof_id, data="forged")
        assert self.proof.answers == []
        assert self.stranger.codes() == ["not-registered"]
        assert self.home.codes() == ["client-not-found"]

    def test_it_costs_a_budget_of_its_own(self) -> None:
        self.owner.forget()
        for _ in range(200):
            self.owner.say("answer", sessionId=self.proof_id)
        assert self.owner.heard == []
        for _ in range(99):
            self.owner.say("answer", sessionId=self.proof_id)
        assert self.owner.codes() == ["rate-limited"]
        self.owner.say("answer", sessionId=self.proof_id)
        assert self.owner.closed is not None

    def test_what_comes_late_is_ignored(self) -> None:
        self.proof.asked.proved()
        self.owner.forget()
        for type in ("session-ready", "answer", "ice-candidate"):
            self.owner.say(type, sessionId=self.proof_id)
        assert self.owner.heard == []

    def test_newcomer_without_a_session_is_still_not_registered(self) -> None:
        self.owner.forget()
        self.owner.say("answer", sessionId=self.session_id)
        assert self.owner.codes() == ["not-registered"]

    def test_newcomer_leaves(self) -> None:
        self.owner.breaks()
        assert self.proof.is_cancelled
        again = self.newcomer(THIRD)
        self.world.advance(15)
        self.assert_refused(again)

    def test_nobody_is_refused_by_a_server_that_goes_down(self) -> None:
        """Nor for an address that has failed just now, by leaving while it was asked."""
        neighbour = self.newcomer(THIRD)
        self.world.hub.drain(0)
        assert {peer.closed for peer in (self.stranger, self.owner, neighbour)} == {
            (1012, "Server is restarting")
        }
        assert neighbour.heard == []

    def test_everything_ends_with_the_server(self) -> None:
        while self.world.hub.drain(10):
            pass
        assert all(proof.is_cancelled for proof in self.prover.proofs)
        assert self.world.clock.timers == []
