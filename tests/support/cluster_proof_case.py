"""Nodes that can ask for proof, each with a prover that the test plays; and two nodes that hold one Remote ID."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.fake_prover import FakeProof
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import FakePeer

ID = 26 * "A"
SQUATTER = "203.0.113.9"
OTHER = "203.0.113.10"


class ProofsTestCase(SynchronousTestCase):
    """Three nodes that can ask for proof."""

    def setUp(self) -> None:
        self.cluster = Cluster(3, has_proofs=True)

    def proof(self, node: int) -> FakeProof:
        """Return the latest proof that a node asks for."""
        return self.cluster.provers[node].proofs[-1]

    def asked(self) -> list[int]:
        """Return how often each node has asked."""
        return [len(prover.proofs) for prover in self.cluster.provers]

    def proves(self, node: int) -> None:
        """Let the peer that a node has asked last prove that it holds the key."""
        self.proof(node).asked.proved()
        self.cluster.settle()

    def fails(self, node: int) -> None:
        """Let the peer that a node has asked last fail to prove it."""
        self.proof(node).asked.failed("another certificate")
        self.cluster.settle()

    def lives(self, peer: FakePeer) -> None:
        """Let a holder answer its probe."""
        peer.pong()
        self.cluster.settle()


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
