"""Nodes that can't ask for proof by their own means: one that can asks in their place."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.cluster_proof_case import ID, SQUATTER, ProofsTestCase
from tests.support.fake_prover import FakeProof
from tests.support.memory_cluster import Cluster


class ProversTestCase(ProofsTestCase):
    """A squatter on node 0 answers every ping; the owner comes to node 1. Node 2 can ask for proof."""

    cannot: tuple[int, ...] = ()
    """The nodes that can't."""

    def setUp(self) -> None:
        super().setUp()
        for number in self.cannot:
            self.cluster.provers[number].obstacle = "no public UDP address is known"
        self.cluster.settle(2)
        self.squatter = self.cluster.home(0, ID, SQUATTER)
        self.owner = self.cluster.home(1, ID)
        self.squatter.pong()
        self.cluster.settle()

    def lent(self) -> list[FakeProof]:
        """The proofs that other nodes than their peers' were asked for."""
        return [each for prover in self.cluster.provers for each in prover.proofs]


class NewcomersNodeTest(ProversTestCase):
    """The newcomer's node can't."""

    cannot = (1,)

    def ask(self) -> FakeProof:
        """Let the holder's time pass; the proof that the newcomer is asked for then."""
        before = self.lent()
        self.cluster.settle(10)
        (proof,) = (each for each in self.lent() if each not in before)
        return proof

    def test_newcomer_proves_itself(self) -> None:
        proof = self.ask()
        (announced,) = self.owner.heard_of("client-connected")
        session_id = announced["sessionId"]
        proof.asked.offer({"type": "offer", "sdp": "ours"})
        self.cluster.settle()
        self.owner.say("session-ready", sessionId=session_id)
        (offer,) = self.owner.heard_of("offer")
        assert offer["data"] == {"type": "offer", "sdp": "ours"}
        self.owner.say("answer", sessionId=session_id, data={"sdp": "theirs"})
        self.owner.say("ice-candidate", sessionId=session_id, data={"candidate": "1"})
        self.cluster.settle()
        assert proof.answers == [{"sdp": "theirs"}]
        assert proof.candidates == [{"candidate": "1"}]
        proof.asked.proved()
        self.cluster.settle()
        assert self.cluster.holders(ID) == [1]
        assert not proof.is_cancelled

    def test_newcomer_fails(self) -> None:
        self.ask().asked.failed("another certificate")
        self.cluster.settle()
        assert self.owner.codes() == ["remote-id-taken"]
        assert self.cluster.holders(ID) == [0]

    def test_newcomer_leaves(self) -> None:
        proof = self.ask()
        self.owner.goodbye()
        self.cluster.settle()
        assert proof.is_cancelled

    def test_newcomers_node_dies(self) -> None:
        proof = self.ask()
        self.cluster.kill(1)
        self.cluster.settle(9)
        assert proof.is_cancelled

    def test_news_that_nobody_waits_is_lost(self) -> None:
        """What is asked for another node ends by itself."""
        proof = self.ask()
        self.cluster.server.lose = lambda op, subject: op == "to-prover"
        self.owner.goodbye()
        self.cluster.settle(28)
        assert not proof.is_cancelled
        self.cluster.settle(2)
        assert proof.is_cancelled

    def test_outcome_is_lost(self) -> None:
        """The newcomer has its time, and no more."""
        proof = self.ask()
        self.cluster.server.lose = lambda op, subject: op == "from-prover"
        proof.asked.proved()
        self.cluster.settle(16)
        assert self.owner.codes() == ["remote-id-taken"]


class HoldersNodeTest(ProversTestCase):
    """The holder's node can't."""

    cannot = (0,)

    def test_holder_is_asked_first(self) -> None:
        (proof,) = self.lent()
        proof.asked.proved()
        self.cluster.settle()
        assert self.owner.codes() == ["remote-id-taken"]

    def test_newcomer_proves_itself(self) -> None:
        self.cluster.settle(10)
        self.proves(1)
        assert self.cluster.holders(ID) == [1]
        assert self.squatter.closed == (1013, "Remote ID went to another server that holds its key")


class OneNodeTest(ProversTestCase):
    """Neither can; a third node can."""

    cannot = (0, 1)

    def test_it_asks_for_both(self) -> None:
        assert self.asked() == [0, 0, 1]
        self.cluster.settle(10)
        assert self.asked() == [0, 0, 2]
        self.proves(2)
        assert self.cluster.holders(ID) == [1]

    def test_it_dies(self) -> None:
        """That is no failure for ever: whoever comes again may be asked by another node."""
        self.cluster.settle(10)
        self.cluster.kill(2)
        self.cluster.settle(9)
        assert self.owner.codes() == ["remote-id-taken"]
        assert self.squatter.is_there

    def test_it_cannot_any_more(self) -> None:
        self.cluster.provers[2].obstacle = "off"
        self.cluster.settle(10)
        assert self.owner.codes() == ["remote-id-taken"]
        assert self.squatter.is_there


class NoNodeTest(ProversTestCase):
    """No node can: a holder that lives stays."""

    cannot = (0, 1, 2)

    def test_holder_stays(self) -> None:
        assert self.owner.codes() == ["remote-id-taken"]
        assert self.squatter.is_there
        assert self.asked() == [0, 0, 0]


class ApartTest(SynchronousTestCase):
    """A node hears no other one."""

    def test_obstacle(self) -> None:
        cluster = Cluster(2, has_proofs=True)
        cluster.provers[0].obstacle = "off"
        cluster.settle(2)
        prover = cluster.worlds[0].hub.prover
        assert prover.obstacle is None
        cluster.lines[0].cut()
        assert prover.obstacle == "off"
        cluster.lines[0].mend()
        cluster.settle()
        assert prover.obstacle is None
        cluster.kill(1)
        cluster.settle(10)
        assert prover.obstacle == "off"
