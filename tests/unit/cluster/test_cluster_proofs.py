"""Proofs of possession on several nodes: each newcomer proves itself to its own node, and the holder's node decides."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event
from tests.support.fake_prover import FakeProof
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import FakePeer

ID = 26 * "A"
REGISTERED = {"type": "registered", "remoteId": ID}
SQUATTER = "203.0.113.9"
OTHER = "203.0.113.10"


class ProofsTestCase(SynchronousTestCase):
    """Three nodes that can ask for proof."""

    def setUp(self) -> None:
        self.cluster = Cluster(3, has_proofs=True)

    def proof(self, node: int) -> FakeProof:
        """The latest proof that a node asks for."""
        return self.cluster.provers[node].proofs[-1]

    def asked(self) -> list[int]:
        """How often each node has asked."""
        return [len(prover.proofs) for prover in self.cluster.provers]

    def proves(self, node: int) -> None:
        """Whoever a node has asked last proves that it holds the key."""
        self.proof(node).asked.proved()
        self.cluster.settle()

    def fails(self, node: int) -> None:
        """It does not."""
        self.proof(node).asked.failed("another certificate")
        self.cluster.settle()


class ContestTest(ProofsTestCase):
    """A squatter on node 0 holds an ID and answers every ping; the owner comes to node 1."""

    def setUp(self) -> None:
        super().setUp()
        self.squatter = self.cluster.home(0, ID, SQUATTER)
        self.client = self.cluster.client(2, ID)
        self.session_id = self.cluster.session(self.squatter, self.client)
        self.owner = self.cluster.home(1, ID)
        self.squatter.pong()
        self.cluster.settle()
        self.squatter.forget()

    def rounds(self) -> None:
        """Let the holder's time pass."""
        self.cluster.settle(10)

    def test_owner_on_another_node(self) -> None:
        assert self.asked() == [1, 0, 0], "the holder first"
        self.rounds()
        assert self.asked() == [1, 1, 0]
        assert self.owner.types() == ["client-connected"]
        self.owner.forget()
        self.proves(1)
        assert self.owner.types()[:2] == ["client-disconnected", "registered"]
        assert self.squatter.closed == (1013, "Remote ID went to another server that holds its key")
        assert self.cluster.holders(ID) == [1]
        self.client.say("offer", data={})
        self.cluster.settle()
        assert self.owner.types()[-1] == "offer"
        for world in self.cluster.worlds:
            assert (Event.TAKEOVER in world.reported()) is (world is self.cluster.worlds[1])

    def test_stranger_on_another_node(self) -> None:
        self.rounds()
        self.fails(1)
        assert self.owner.codes() == ["remote-id-taken"]
        assert self.owner.closed == (1013, "Remote ID is in use")
        assert self.squatter.is_there
        again = self.cluster.home(1, ID)
        self.squatter.pong()
        self.cluster.settle()
        assert again.codes() == ["remote-id-taken"], "its address has failed, and is not asked so soon"

    def test_holder_proves_itself(self) -> None:
        self.proves(0)
        assert self.owner.codes() == ["remote-id-taken"]
        assert self.asked() == [1, 0, 0]

    def test_offers_of_all_nodes_wait_while_a_newcomer_is_asked(self) -> None:
        self.rounds()
        self.client.say("offer", data={})
        self.cluster.settle()
        assert self.squatter.types() == []
        self.cluster.settle(13)
        self.fails(1)
        assert self.squatter.types() == ["offer", "client-disconnected"]
        self.cluster.settle(34)
        assert self.client.heard == [], "the home has its time to answer from its delivery on"
        self.cluster.settle(2)
        assert self.client.types() == ["peer-disconnected"]

    def test_four_are_asked_at_once_wherever_they_are(self) -> None:
        newcomers = [self.cluster.home(number % 3, ID, f"203.0.113.{20 + number}") for number in range(4)]
        self.rounds()
        assert sum(self.asked()) == 1 + 4
        assert newcomers[-1].heard == []
        self.cluster.provers[1].proofs[0].asked.proved()
        self.cluster.settle()
        assert self.cluster.holders(ID) == [1]
        assert all(newcomer.codes() == ["remote-id-taken"] for newcomer in newcomers)
        assert all(proof.is_cancelled for proof in self.cluster.provers[2].proofs)

    def test_newcomer_leaves_when_asked(self) -> None:
        self.rounds()
        self.owner.goodbye()
        self.cluster.settle()
        assert self.proof(1).is_cancelled
        assert self.squatter.is_there
        assert not self.cluster.lines[0].node._judge._newcomers

    def test_no_budget_for_a_proof(self) -> None:
        """It is refused, and has not failed."""
        proofs = self.cluster.worlds[1].hub.registry.contests.proofs
        self.patch(proofs, "ask", lambda *_: None)
        self.rounds()
        assert self.owner.codes() == ["remote-id-taken"]
        failures = self.cluster.worlds[0].hub.registry.contests._terms.failures
        assert not failures.must_wait("192.0.2.1", ID, self.cluster.clock.seconds())

    def test_node_of_the_newcomer_dies(self) -> None:
        self.rounds()
        self.cluster.kill(1)
        self.cluster.settle(20)
        assert self.squatter.is_there
        assert not self.cluster.worlds[0].hub.registry.contests.by_remote_id
        failures = self.cluster.worlds[0].hub.registry.contests._terms.failures
        assert not failures.must_wait("192.0.2.1", ID, self.cluster.clock.seconds())

    def test_answer_of_a_proof_is_lost(self) -> None:
        """The newcomer claims again, and has not failed."""
        self.cluster.server.lose = lambda op, subject: op == "proof"
        self.rounds()
        self.proves(1)
        self.cluster.server.lose = lambda op, subject: False
        self.cluster.settle(18)
        self.squatter.pong()
        self.cluster.settle(10)
        self.proves(1)
        assert self.cluster.holders(ID) == [1]

    def test_those_who_contend_go_on_with_a_new_holder_elsewhere(self) -> None:
        late = self.cluster.home(0, ID, OTHER)
        later = self.cluster.home(2, ID, "203.0.113.11")
        self.squatter.goodbye()
        self.cluster.settle()
        assert self.owner.types() == ["registered", "client-connected"]
        assert late.heard == later.heard == []
        assert len(self.owner.pings) == 1
        assert self.asked() == [1, 1, 0], "who got it for nothing is asked"
        self.owner.pong()
        self.proves(1)
        assert late.codes() == later.codes() == ["remote-id-taken"]


class TwoHoldersTestCase(ProofsTestCase):
    """Two nodes hold an ID and have lost each other: the elder registration on node 0, the younger one on node 1."""

    def setUp(self) -> None:
        super().setUp()
        self.elder = self.cluster.home(0, ID, SQUATTER)
        self.cluster.settle(3)
        self.cluster.lines[0].cut()
        self.younger = self.cluster.home(1, ID)
        self.client = self.cluster.client(1, ID)
        self.session_id = self.cluster.session(self.younger, self.client)

    def meet(self) -> None:
        """Let the nodes find each other."""
        self.cluster.lines[0].mend()
        self.cluster.settle(3)

    def lives(self, peer: FakePeer) -> None:
        """Let a holder answer its probe."""
        peer.pong()
        self.cluster.settle()


class ApartTest(TwoHoldersTestCase):
    """What was asked before they meet."""

    def test_what_was_proved_counts_for_nothing(self) -> None:
        """The elder one may have had the younger one answer in its place."""
        stranger = self.cluster.home(0, ID, OTHER)
        self.lives(self.elder)
        self.proves(0)
        assert stranger.codes() == ["remote-id-taken"]
        self.meet()
        self.lives(self.elder)
        assert self.asked() == [2, 0, 0]
        self.cluster.settle(10)
        self.proves(1)
        assert self.cluster.holders(ID) == [1]

    def test_who_contends_is_asked_anew(self) -> None:
        stranger = self.cluster.home(0, ID, OTHER)
        self.lives(self.elder)
        self.cluster.settle(10)
        of_holder, of_stranger = self.cluster.provers[0].proofs
        self.meet()
        assert of_holder.is_cancelled
        assert of_stranger.is_cancelled
        self.lives(self.elder)
        self.cluster.settle(11)
        assert self.asked() == [4, 1, 0]
        self.proves(1)
        assert self.cluster.holders(ID) == [1]
        assert stranger.codes() == ["remote-id-taken"]


class TwoHoldersTest(TwoHoldersTestCase):
    """They have met."""

    def setUp(self) -> None:
        super().setUp()
        self.meet()

    def test_the_younger_one_proves_itself(self) -> None:
        self.lives(self.elder)
        assert self.asked() == [1, 0, 0]
        self.cluster.settle(10)
        self.proves(1)
        assert self.elder.closed == (1013, "Remote ID went to another server that holds its key")
        assert self.younger.is_there
        assert self.cluster.holders(ID) == [1]
        assert [self.cluster.is_online(node, ID) for node in range(3)] == [True, True, True]

    def test_the_elder_one_proves_itself(self) -> None:
        self.proves(0)
        assert self.younger.codes() == ["remote-id-taken"]
        assert self.younger.closed == (1013, "Remote ID is in use")
        assert self.cluster.holders(ID) == [0]
        self.elder.forget()
        self.client.say("offer", data={})
        self.cluster.settle()
        assert self.elder.types()[-1] == "offer", "its clients go on with the one that stays"

    def test_neither_proves_itself(self) -> None:
        self.lives(self.elder)
        self.cluster.settle(10)
        self.fails(1)
        assert self.younger.closed == (1013, "Remote ID is in use")
        assert self.cluster.holders(ID) == [0]

    def test_the_elder_one_is_silent(self) -> None:
        self.cluster.settle(5)
        assert self.elder.dropped
        assert self.younger.is_there
        assert self.cluster.holders(ID) == [1]

    def test_three_of_them(self) -> None:
        self.lives(self.elder)
        self.cluster.lines[2].cut()
        third = self.cluster.home(2, ID, OTHER)
        self.cluster.lines[2].mend()
        self.cluster.settle(10)
        assert third.is_there
        assert self.asked() == [1, 1, 1]
        self.proves(2)
        assert self.younger.codes() == ["remote-id-taken"]
        assert self.cluster.holders(ID) == [2]

    def test_offers_to_both_wait(self) -> None:
        """Nobody can have the one answer in the other one's place."""
        self.lives(self.elder)
        self.client.say("offer", data={})
        far = self.cluster.client(0, ID)
        far_id = self.cluster.session(self.elder, far)
        self.cluster.settle(10)
        assert self.asked() == [1, 1, 0]
        far.say("offer", data={})
        self.cluster.settle()
        assert "offer" not in self.younger.types() + self.elder.types()
        self.proves(1)
        assert [each["sessionId"] for each in self.younger.heard_of("offer")] == [self.session_id, far_id]

    def test_the_younger_one_wants_another_id(self) -> None:
        self.lives(self.elder)
        self.younger.say("register-server", remoteId="OTHER")
        self.cluster.settle()
        assert self.cluster.holders(ID) == [0]
        assert self.cluster.holders("OTHER") == [1]
        assert not self.cluster.lines[0].node._judge._newcomers


class AnsweredTest(ProofsTestCase):
    """A home whose sessions were answered, on all nodes, is away."""

    def setUp(self) -> None:
        super().setUp()
        self.home = self.cluster.home(0, ID)
        self.clients: list[FakePeer] = []
        for node in range(3):
            self.clients.append(self.cluster.client(node, ID))
            session_id = self.cluster.session(self.home, self.clients[-1])
            self.home.say("answer", sessionId=session_id, data={})
        self.cluster.settle()
        self.home.breaks()
        self.cluster.settle()
        self.back = self.cluster.home(1, ID, SQUATTER)

    def say(self) -> list[str]:
        """Let every client say something; what of it the home hears."""
        self.back.forget()
        for client in self.clients:
            client.say("ice-candidate", data={})
        self.cluster.settle()
        return [each for each in self.back.types() if each == "ice-candidate"]

    def test_they_wait_for_its_proof_on_all_nodes(self) -> None:
        assert self.back.heard[0] == REGISTERED
        assert self.say() == []
        assert self.asked() == [0, 1, 0]
        self.proves(1)
        assert len([each for each in self.back.types() if each == "ice-candidate"]) == 3
        assert len(self.say()) == 3

    def test_they_go_on_with_the_connection_that_they_had(self) -> None:
        """Where nodes had lost each other for a while."""
        self.proves(1)
        assert len(self.say()) == 3
        self.cluster.lines[1].cut()
        self.cluster.settle(10)
        self.back.connection.proof = None
        self.cluster.lines[1].mend()
        self.cluster.settle(3)
        assert len(self.say()) == 3

    def test_they_are_told_again(self) -> None:
        """News of the proof may get lost."""
        self.cluster.server.lose = lambda op, subject: op == "registered"
        self.proves(1)
        assert len(self.say()) == 1
        self.cluster.server.lose = lambda op, subject: False
        self.cluster.settle(61)
        assert len(self.say()) == 3

    def test_an_impostor_never_sees_them(self) -> None:
        self.fails(1)
        assert self.say() == []
        self.cluster.settle(61)
        assert self.asked() == [0, 2, 0]
