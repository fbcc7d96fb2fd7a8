"""Questions to other nodes: what is asked, what comes of it, and that nothing stays."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.messages.packing import pack
from ma_signaling.cluster.messages.registrations import WaitForProof
from tests.support.memory_cluster import Cluster

STRANGER = "203.0.113.9"


class QuestionsTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.cluster = Cluster(2)

    def test_nothing_stays(self) -> None:
        home = self.cluster.home(0)
        client = self.cluster.client(0)
        session_id = self.cluster.session(home, client)
        asker = self.cluster.worlds[1].connect(STRANGER).connection.address
        traces: list[Any] = []
        lookups = self.cluster.worlds[1].hub.lookups
        for name in (session_id, "0" * 32, session_id):
            lookups.trace(asker, name, traces.append)
            lookups.ask_online(asker, name[:8], lambda _: None)
        self.cluster.settle(5)
        assert [trace is None for trace in traces] == [False, False, True]
        assert self.cluster.lines[1].node._context._questions == {}

    def test_one_guess_of_an_address(self) -> None:
        """However many of its connections ask for it; one of them is closed, and the others live on."""
        guesser = self.cluster.worlds[1].connect(STRANGER)
        for number in range(9):
            guesser.say("connect-request", remoteId=f"GUESS{number}")
            self.cluster.settle()
        both = [self.cluster.worlds[1].connect(STRANGER) for _ in range(2)]
        for client in both:
            client.say("connect-request", remoteId="GUESS9")
        self.cluster.settle()
        assert sorted(client.codes() for client in both) == [["blocked"], ["server-not-found"]]
        assert [client.closed for client in both if client.closed] == [(4008, "Blocked for brute force")]

    def test_proof_that_was_given(self) -> None:
        """Its node says so again, to a node whose sessions wait for it."""
        home = self.cluster.home(0)
        wait = pack(WaitForProof(sender="n1", remote_id="HOME"))
        for proof in (None, object()):
            home.connection.proof = proof  # type: ignore[assignment]
            self.cluster.server.sent.clear()
            self.cluster.lines[0].node.received(wait)
            self.cluster.settle()
            told = any(op == "registered" for _, op in self.cluster.server.sent)
            assert told is (proof is not None)
