"""Clients' offers while newcomers are asked for proof: they wait."""

from __future__ import annotations

from tests.support.takeover_case import PROVABLE, THIRD, ProvableTestCase


class OffersTest(ProvableTestCase):
    """No client's offer reaches the holder while newcomers are asked: it can't answer in their place."""

    def test_they_wait_and_go_out_in_order(self) -> None:
        other = self.world.client(PROVABLE)
        other_id = self.world.session(self.home, other)
        self.sides()
        self.home.forget()
        self.client.say("ice-candidate", data=1)
        self.client.say("offer", data=2)
        self.client.say("ice-candidate", data=3)
        other.say("ice-candidate", data=4)
        assert [message["data"] for message in self.home.heard] == [1, 4]
        self.home.forget()
        self.world.advance(15)
        assert [message["data"] for message in self.home.heard[-2:]] == [2, 3]
        other.say("offer", data=5)
        assert self.home.heard[-1] == {"type": "offer", "sessionId": other_id, "data": 5}

    def test_the_time_to_answer_runs_from_the_delivery(self) -> None:
        """And not anew for those that were delivered before."""
        late = self.world.client(PROVABLE)
        self.world.session(self.home, late)
        self.client.say("offer", data=1)
        self.sides()
        late.say("offer", data=2)
        self.world.advance(15)
        self.world.advance(9.9)
        assert self.client.heard == []
        self.world.advance(0.1)
        assert self.client.types() == ["peer-disconnected"]
        self.world.advance(24.9)
        assert late.heard == []
        self.world.advance(0.1)
        assert late.types() == ["peer-disconnected"]

    def test_they_are_bounded(self) -> None:
        """Those that wait and are kept as well count twice; of so many none are kept."""
        self.sides()
        for _ in range(5):
            self.client.say("offer", data="x" * 60_000)
        assert self.client.codes() == ["home-busy"]

    def test_what_has_to_make_way_ends_its_session(self) -> None:
        """Its client hears so, and the home hears nothing of it but its end."""
        crowd = []
        for _ in range(4):
            crowd.append(self.world.client(PROVABLE, "203.0.113.99"))
            self.world.session(self.home, crowd[-1])
        self.sides()
        for client in crowd:
            client.say("offer", data="x" * 60_000)
            client.say("offer", data="x")
        for _ in range(2):
            self.client.say("offer", data="x" * 20_000)
        gone = [client for client in crowd if client.codes() == ["home-busy"]]
        assert 0 < len(gone) < 4
        assert self.client.heard == []
        self.home.forget()
        self.world.advance(15)
        assert len(self.home.heard_of("offer")) == 2 + 2 * (4 - len(gone))

    def test_our_own_offer_does_not_wait(self) -> None:
        """Those who are asked get it all the same, the holder among them."""
        home, _, owner = self.sides()
        for peer in (home, owner):
            self.asked(peer).asked.offer({"sdp": "ours"})
            peer.say("session-ready", sessionId=peer.heard_of("client-connected")[-1]["sessionId"])
            assert peer.heard[-1]["type"] == "offer"

    def test_an_heir_gets_none_while_others_are_asked(self) -> None:
        """It has proved nothing: the holder before it was silent, or has left."""
        for is_silent in (True, False):
            self.setUp()
            self.client.say("offer", data=1)
            heir, other = self.newcomer(), self.newcomer(THIRD)
            self.world.advance(10)
            if is_silent:
                self.world.advance(10)
            else:
                self.home.breaks()
            assert "registered" in heir.types()
            assert heir.heard_of("offer") == []
            self.asked(other).asked.failed("another certificate")
            assert [message["data"] for message in heir.heard_of("offer")] == [1]

    def test_they_go_to_the_winner(self) -> None:
        """After the announcement of their sessions."""
        _, _, owner = self.sides()
        self.client.say("offer", data=1)
        self.asked(owner).asked.proved()
        owner.forget()
        self.client.say("offer", data=2)
        assert [message["data"] for message in owner.heard] == [2]

    def test_the_winner_hears_of_their_sessions_first(self) -> None:
        _, _, owner = self.sides()
        self.client.say("offer", data=1)
        proof = self.asked(owner)
        owner.forget()
        proof.asked.proved()
        assert owner.types()[:2] == ["client-disconnected", "registered"]
        assert owner.types()[2:] == ["client-disconnected", "client-connected", "offer"]

    def test_client_that_leaves_meanwhile(self) -> None:
        self.sides()
        self.home.forget()
        self.client.say("offer", data=1)
        self.client.goodbye()
        assert self.home.heard == []
        self.world.advance(15)
        assert self.home.types()[-1] == "client-disconnected"
        assert self.home.heard_of("offer") == []
