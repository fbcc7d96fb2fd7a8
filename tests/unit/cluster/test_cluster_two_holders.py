"""Nodes that all hold one Remote ID, since they had lost each other: who stays, and what counts as a proof."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ma_signaling.cluster.messages.claims import ProofOutcome
from ma_signaling.cluster.messages.packing import unpack
from ma_signaling.core.connection import Proof
from tests.support.cluster_proof_case import ID, OTHER, ProofsTestCase, TwoHoldersTestCase
from tests.support.memory_cluster import Cluster, Line


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


class AnewTest(TwoHoldersTestCase):
    """The owner on node 2 is asked in a contest that begins anew, since the nodes of both holders find each other."""

    def setUp(self) -> None:
        super().setUp()
        self.cluster.lines[2].cut()
        self.cluster.lines[2].side = self.cluster.lines[0].side = 1
        self.cluster.lines[0].mend()
        self.cluster.lines[2].mend()
        self.owner = self.cluster.home(2, ID, OTHER)
        self.lives(self.elder)
        self.cluster.settle(10)
        assert self.asked() == [1, 0, 1]
        (self.early,) = self.cluster.provers[2].proofs

    def meet(self) -> None:
        for line in self.cluster.lines:
            line.side = 0
        self.cluster.lines[1].cut()
        self.cluster.lines[1].mend()
        self.cluster.settle()
        self.lives(self.elder)
        assert self.asked() == [2, 0, 1]

    def test_early_asking_ends(self) -> None:
        self.meet()
        assert self.early.is_cancelled
        assert self.owner.types() == ["client-connected", "client-disconnected"]

    def test_early_asking_is_no_failure(self) -> None:
        """Though its node didn't hear that the contest began anew, and it is asked twice."""
        self.cluster.server.lose = lambda op, subject: op == "undecided"
        self.meet()
        self.cluster.settle(11)
        assert self.asked() == [2, 1, 2]
        assert self.owner.codes() == []
        self.proves(2)
        assert self.cluster.holders(ID) == [2]

    def test_early_proof_comes_late(self) -> None:
        """What was on its way when the contest began anew is nothing to the new one."""
        held: list[Callable[[], None]] = []
        publish = self.cluster.server.publish

        def hold(sender: Line, subject: str, payload: bytes, reply: str) -> None:
            if isinstance(unpack(payload)[0], ProofOutcome) and not held:
                held.append(partial(publish, sender, subject, payload, reply))
            else:
                publish(sender, subject, payload, reply)

        self.patch(self.cluster.server, "publish", hold)
        self.proves(2)
        self.meet()
        self.cluster.settle(11)
        assert self.asked() == [2, 1, 2]
        held[0]()
        self.cluster.settle()
        assert self.cluster.holders(ID) == [0, 1]
        self.proves(1)
        assert self.cluster.holders(ID) == [1]
        assert self.owner.codes() == ["remote-id-taken"]

    def test_holder_is_asked_anew_though_sessions_wait_for_it(self) -> None:
        (early,) = self.cluster.provers[0].proofs
        home = self.cluster.worlds[0].hub.registry.find(ID)
        assert home is not None
        home.suspended = frozenset({"a session"})
        self.meet()
        assert early.is_cancelled
        early.asked.proved()
        self.cluster.settle()
        assert self.owner.is_there
        assert self.younger.is_there


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

    def test_proof_of_the_younger_one_from_before_counts_for_nothing(self) -> None:
        """It stays since the elder one is silent, which may have answered in its place before."""
        self.younger.connection.proof = Proof(self.cluster.clock.seconds(), in_contest=True)
        self.cluster.settle(5)
        assert self.cluster.holders(ID) == [1]
        owner = self.cluster.home(2, ID, OTHER)
        self.lives(self.younger)
        self.cluster.settle(10)
        self.proves(2)
        assert owner.codes() == []
        assert self.cluster.holders(ID) == [2]

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


class HeldOfferTest(ProofsTestCase):
    """A home's offers wait, of a client on another node."""

    def test_end_does_not_wait_behind_it(self) -> None:
        """Should the session begin anew, its announcement would overtake the end."""
        peer = self.cluster.home(0, ID)
        client = self.cluster.client(1, ID)
        self.cluster.session(peer, client)
        home = self.cluster.worlds[0].hub.registry.find(ID)
        assert home is not None
        home.are_offers_held = True
        client.say("offer", data={})
        self.cluster.settle()
        client.goodbye()
        self.cluster.settle()
        assert peer.types() == ["client-disconnected"]


class ThreeHoldersTest(ProofsTestCase):
    """Three nodes hold an ID, each on its own; a fourth one has a client of one of them."""

    def setUp(self) -> None:
        self.cluster = Cluster(4, has_proofs=True)
        for side, line in enumerate(self.cluster.lines):
            line.side = min(side, 2)
        self.homes = []
        for node in range(3):
            self.homes.append(self.cluster.home(node, ID, f"203.0.113.{node + 1}"))
            self.cluster.settle(1)
        self.client = self.cluster.client(3, ID)
        self.session_id = self.cluster.session(self.homes[2], self.client)

    def meet(self) -> None:
        """Let the nodes find each other."""
        self.cluster.server.sent.clear()
        for line in self.cluster.lines:
            line.cut()
            line.side = 0
        for line in self.cluster.lines:
            line.mend()

    def test_the_eldest_ones_node_alone_insists(self) -> None:
        """Each of several would outdo the others, as fast as the bus carries it, until a proof decides."""
        publish = self.cluster.server.publish

        def publish_some(sender: Line, subject: str, payload: bytes, reply: str) -> None:
            assert len(self.cluster.server.sent) < 300, "a storm"
            publish(sender, subject, payload, reply)

        self.patch(self.cluster.server, "publish", publish_some)
        self.meet()
        self.cluster.settle(0)
        before = len(self.cluster.server.sent)
        self.cluster.settle(0)
        assert len(self.cluster.server.sent) == before
        assert self.cluster.holders(ID) == [0, 1, 2]

    def test_all_are_asked_and_one_stays(self) -> None:
        self.meet()
        self.cluster.settle(3)
        for home in self.homes[::2]:
            self.lives(home)
        self.cluster.settle(10)
        assert all(self.asked()[:3])
        self.client.say("offer", data={})
        self.cluster.settle()
        assert not any(home.heard_of("offer") for home in self.homes), "offers to all of them wait"
        self.proves(2)
        assert self.cluster.holders(ID) == [2]
        # Its own node has asked another one as well, and waits for that.
        self.cluster.settle(20)
        assert [each["sessionId"] for each in self.homes[2].heard_of("offer")] == [self.session_id]
