"""Takeover where proof can be had: a Remote ID belongs to whoever holds the key of its certificate."""

from __future__ import annotations

from ma_signaling.core.events import Event
from tests.support.fake_prover import FakeProof, FakeProver
from tests.support.memory_hub import FakePeer
from tests.unit.core.test_takeover import OWNER, STRANGER, THIRD, TakeoverTestCase, takeovers

REMOTE_ID = "ABCDEFGHIJKLMNOPQRSTUVWXY9"
REGISTERED = {"type": "registered", "remoteId": REMOTE_ID}


class ProofTestCase(TakeoverTestCase):
    """A home with a Remote ID that can be proved."""

    remote_id = REMOTE_ID

    def setUp(self) -> None:
        self.prover: FakeProver = FakeProver()
        super().setUp()

    def lives(self, holder: FakePeer | None = None) -> None:
        """The holder answers its probe."""
        (holder or self.home).pong()

    def asked(self, peer: FakePeer) -> FakeProof:
        """The proof that a peer is asked for, whose session has just been announced to it."""
        session_id = peer.heard_of("client-connected")[-1]["sessionId"]
        asking = peer.connection.asking
        assert asking is not None
        assert asking.session_id == session_id
        return next(proof for proof in self.prover.proofs if proof.asked is asking)

    def sides(self) -> list[FakePeer]:
        """The holder that lives, and two newcomers that are asked."""
        newcomers = [self.newcomer(), self.newcomer(THIRD)]
        self.lives()
        self.world.advance(10)
        return [self.home, *newcomers]


class HolderTest(ProofTestCase):
    """The holder is asked first."""

    def test_it_proves_itself(self) -> None:
        newcomer = self.newcomer()
        self.asked(self.home).asked.proved()
        self.assert_refused(newcomer)
        assert newcomer.types() == ["error"]
        assert self.home.types() == ["client-connected", "client-disconnected"]
        assert self.home.is_there
        assert takeovers(self.world) == ["refused: holder proved"]

    def test_a_proof_counts_for_ten_minutes(self) -> None:
        self.newcomer()
        self.asked(self.home).asked.proved()
        self.home.forget()
        self.world.advance(599)
        second = self.newcomer()
        assert self.home.heard == []
        assert second.heard == []
        self.lives()
        self.assert_refused(second)
        self.world.advance(1)
        self.newcomer()
        assert self.home.types() == ["client-connected"]

    def test_a_proof_of_a_silent_holder_counts_for_nothing(self) -> None:
        """Its connection has broken without a word."""
        self.newcomer()
        self.asked(self.home).asked.proved()
        newcomer = self.newcomer()
        self.world.advance(5)
        assert newcomer.heard[0] == REGISTERED

    def test_a_proof_counts_on_its_connection(self) -> None:
        self.newcomer()
        self.asked(self.home).asked.proved()
        self.home.goodbye()
        squatter = self.newcomer()
        owner = self.newcomer(OWNER)
        squatter.pong()
        assert owner.is_there

    def test_its_failure_is_no_evidence(self) -> None:
        newcomer = self.newcomer()
        self.asked(self.home).asked.failed("no answer")
        self.lives()
        self.world.advance(10)
        self.asked(newcomer).asked.failed("no answer")
        self.assert_refused(newcomer)
        assert self.home.is_there

    def test_it_is_asked_once_a_contest(self) -> None:
        self.newcomer()
        self.asked(self.home).asked.failed("no answer")
        self.newcomer(THIRD)
        assert len(self.prover.proofs) == 1

    def test_it_moves_to_another_id(self) -> None:
        newcomer = self.newcomer()
        self.home.say("register-server", remoteId="ELSEWHERE")
        assert newcomer.heard == [REGISTERED]
        assert self.prover.proofs[0].is_cancelled
        assert self.home.heard[-1] == {"type": "registered", "remoteId": "ELSEWHERE"}


class NewcomersTest(ProofTestCase):
    """Newcomers are asked when the holder has proved nothing for 10 s."""

    def test_the_owner_displaces_a_living_squatter(self) -> None:
        squatter, _, owner = self.sides()
        self.asked(owner).asked.proved()
        assert squatter.closed == (1013, "Remote ID went to another server that holds its key")
        assert owner.types()[:3] == ["client-connected", "client-disconnected", "registered"]
        assert takeovers(self.world) == ["won by proof", "refused: another newcomer won"]

    def test_each_fails_by_itself(self) -> None:
        squatter, accomplice, owner = self.sides()
        self.asked(accomplice).asked.failed("another certificate")
        self.assert_refused(accomplice)
        assert accomplice.types() == ["client-connected", "client-disconnected", "error"]
        self.asked(owner).asked.proved()
        assert owner.heard_of("registered") == [REGISTERED]
        assert not squatter.is_there

    def test_no_proof_in_time(self) -> None:
        home, *newcomers = self.sides()
        self.world.advance(14.9)
        assert all(newcomer.is_there for newcomer in newcomers)
        self.world.advance(0.1)
        self.assert_refused(*newcomers)
        assert home.is_there
        assert takeovers(self.world) == ["refused: no proof"] * 2

    def test_who_failed_waits(self) -> None:
        """And whoever has the same address; nobody else."""
        self.sides()
        self.world.advance(15)
        again, other = self.newcomer(THIRD), self.newcomer("203.0.113.3")
        self.lives()
        self.assert_refused(again)
        assert other.is_there
        self.world.advance(60)
        late = self.newcomer(THIRD)
        self.lives()
        assert late.is_there

    def test_budget(self) -> None:
        """Shared by address: who has asked for much leaves something for others."""
        self.world.settings.proofs_per_minute = 2
        squatter = self.newcomer()
        squatter.goodbye()
        self.newcomer().goodbye()
        assert len(self.prover.proofs) == 2
        self.newcomer()
        assert len(self.prover.proofs) == 2
        owner = self.newcomer(OWNER)
        self.lives()
        self.world.advance(10)
        self.asked(owner).asked.proved()
        assert owner.heard_of("registered") == [REGISTERED]

    def test_a_proof_of_a_newcomer_counts_for_nothing_later(self) -> None:
        """It may have been somebody else's, through the holder that it displaced."""
        *_, owner = self.sides()
        self.asked(owner).asked.proved()
        self.newcomer(STRANGER)
        self.lives(owner)
        assert owner.heard[-1]["type"] == "client-connected"

    def test_two_servers_with_one_certificate_are_said_once_a_day(self) -> None:
        def displaced() -> None:
            newcomer = self.newcomer(f"203.0.113.{len(self.world.events)}")
            self.lives()
            self.world.advance(10)
            self.asked(newcomer).asked.proved()
            assert not self.home.is_there
            self.home = newcomer

        displaced()
        assert Event.CERTIFICATE_SHARED not in self.world.reported()
        displaced()
        displaced()
        assert self.world.reported().count(Event.CERTIFICATE_SHARED) == 1
        self.world.advance(24 * 3600)
        displaced()
        assert self.world.reported().count(Event.CERTIFICATE_SHARED) == 2


class EntangledTest(ProofTestCase):
    """Two homes that want each other's Remote ID."""

    def test_refusing_the_last_newcomer_gives_the_holder_what_it_wants(self) -> None:
        other = self.world.home("B" * 26, STRANGER)
        other.say("register-server", remoteId=REMOTE_ID)
        self.home.say("register-server", remoteId="B" * 26)
        other.pong()
        self.world.advance(10)
        proof = next(proof for proof in self.prover.proofs if proof.asked is other.connection.asking)
        assert proof.remote_id == REMOTE_ID
        proof.asked.failed("another certificate")
        self.assert_refused(other)
        assert self.home.heard[-1] == {"type": "registered", "remoteId": "B" * 26}
        assert self.world.hub.counts()["servers"] == 1
        assert not self.world.hub.registry.contests.by_remote_id


class SessionTest(ProofTestCase):
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


class OffersTest(ProofTestCase):
    """No client's offer reaches the holder while newcomers are asked: it can't answer in their place."""

    def test_they_wait_and_go_out_in_order(self) -> None:
        other = self.world.client(REMOTE_ID)
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
        late = self.world.client(REMOTE_ID)
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
        self.sides()
        for _ in range(5):
            self.client.say("offer", data="x" * 60_000)
        assert self.client.codes() == ["home-busy"]

    def test_our_own_offer_does_not_wait(self) -> None:
        """Those who are asked get it all the same, the holder among them."""
        home, _, owner = self.sides()
        for peer in (home, owner):
            self.asked(peer).asked.offer({"sdp": "ours"})
            peer.say("session-ready", sessionId=peer.heard_of("client-connected")[-1]["sessionId"])
            assert peer.heard[-1]["type"] == "offer"

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


class WaitingTest(ProofTestCase):
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

    def test_an_address_is_no_proof(self) -> None:
        squatter = self.newcomer(OWNER)
        self.asked(squatter).asked.failed("another certificate")
        self.client.say("ice-candidate", data=1)
        assert squatter.types() == ["registered", "client-connected", "client-disconnected"]

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

    def test_nobody_is_asked_where_nothing_waits(self) -> None:
        self.client.goodbye()
        home = self.newcomer(OWNER)
        assert home.types() == ["registered", "client-disconnected"]
        assert self.prover.proofs == []
