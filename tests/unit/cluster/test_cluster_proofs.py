"""Proofs of possession on several nodes: each newcomer proves itself to its own node, and the holder's node decides."""

from __future__ import annotations

from ma_signaling.core.events import Event
from tests.support.cluster_proof_case import ID, OTHER, SQUATTER, ProofsTestCase
from tests.support.memory_hub import FakePeer

REGISTERED = {"type": "registered", "remoteId": ID}


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

    def test_nobody_contends_on_with_a_holder_that_has_proved_itself(self) -> None:
        """Its node announces the proof, whereupon the newcomer's asks again; a moment later that one is refused."""
        self.proves(0)
        assert self.owner.codes() == ["remote-id-taken"]
        self.cluster.settle(20)
        assert self.squatter.is_there
        assert not self.cluster.worlds[0].hub.registry.contests.by_remote_id

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

    def test_what_waits_of_a_session_goes_with_it(self) -> None:
        """The holder hears of its end alone."""
        self.rounds()
        self.client.say("offer", data={})
        self.cluster.settle()
        self.client.goodbye()
        self.cluster.settle()
        self.fails(1)
        assert self.squatter.heard_of("offer") == []
        assert {"type": "client-disconnected", "sessionId": self.session_id} in self.squatter.heard

    def test_what_has_to_make_way_ends_its_session(self) -> None:
        """Its client hears so from its own node, and the home hears nothing of it but its end."""
        crowd = []
        for _ in range(4):
            crowd.append(self.cluster.client(2, ID, "203.0.113.99"))
            self.cluster.session(self.squatter, crowd[-1])
        self.cluster.settle(10)
        for client in crowd:
            client.say("offer", data="x" * 60_000)
        self.cluster.settle()
        self.client.say("offer", data="x" * 30_000)
        self.cluster.settle()
        assert sorted(client.codes() for client in crowd) == [[], [], [], ["home-busy"]]
        self.squatter.forget()
        self.fails(1)
        assert len(self.squatter.heard_of("offer")) == 4
        assert [world.hub.counts()["clients"] for world in self.cluster.worlds] == [0, 0, 4]

    def test_all_are_asked_at_once_wherever_they_are(self) -> None:
        newcomers = [self.cluster.home(number % 3, ID, f"203.0.113.{20 + number}") for number in range(4)]
        self.rounds()
        assert sum(self.asked()) == 1 + 5
        assert newcomers[-1].types() == ["client-connected"]
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
        failures = self.cluster.worlds[0].hub.registry.contests._terms.failed_proofs
        assert not failures.must_wait("192.0.2.1", ID, self.cluster.clock.seconds())

    def test_node_of_the_newcomer_dies(self) -> None:
        self.rounds()
        self.cluster.kill(1)
        self.cluster.settle(20)
        assert self.squatter.is_there
        assert not self.cluster.worlds[0].hub.registry.contests.by_remote_id
        failures = self.cluster.worlds[0].hub.registry.contests._terms.failed_proofs
        assert not failures.must_wait("192.0.2.1", ID, self.cluster.clock.seconds())

    def test_answer_of_a_proof_is_lost(self) -> None:
        """The newcomer claims again, and has not failed."""
        self.cluster.server.lose = lambda op, subject: op == "proof-outcome"
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

    def test_an_impostor_that_has_proved_another_id_never_sees_them(self) -> None:
        """Its own, where an accomplice has it asked."""
        own = 26 * "B"
        self.back.say("register-server", remoteId=own)
        self.cluster.settle()
        self.cluster.home(1, own, OTHER)
        self.proves(1)
        self.back.say("register-server", remoteId=ID)
        self.cluster.settle()
        assert self.cluster.holders(ID) == [1]
        assert self.say() == []
