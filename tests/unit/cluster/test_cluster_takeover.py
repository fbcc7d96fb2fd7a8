"""A home on one node, and who wants its Remote ID on another."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import FakePeer

STRANGER = "203.0.113.9"
REGISTERED = {"type": "registered", "remoteId": "HOME"}


class TakeoverTest(SynchronousTestCase):
    """A newcomer on node 1 wants what a home on node 0 holds."""

    def setUp(self) -> None:
        self.cluster = Cluster(3)
        self.home = self.cluster.home(0)
        self.client = self.cluster.client(2)
        self.session_id = self.cluster.session(self.home, self.client)
        self.home.forget()

    def newcomer(self, text: str = "192.0.2.1") -> FakePeer:
        return self.cluster.home(1, text=text)

    def answered(self, session_id: str = "") -> None:
        """The home answers in a session."""
        self.home.say("answer", sessionId=session_id or self.session_id, data={})
        self.cluster.settle()

    def test_unanswered_sessions_begin_anew(self) -> None:
        newcomer = self.newcomer(STRANGER)
        self.cluster.clock.advance(5)
        self.cluster.settle()
        assert newcomer.forget() == [
            REGISTERED,
            {"type": "client-disconnected", "sessionId": self.session_id},
            {"type": "client-connected", "sessionId": self.session_id},
        ]
        self.client.say("offer", data={})
        self.cluster.settle()
        assert newcomer.types() == ["offer"]
        newcomer.say("answer", sessionId=self.session_id, data={})
        self.cluster.settle()
        assert self.client.types() == ["answer"]
        assert self.cluster.holders() == [1]

    def test_same_address(self) -> None:
        """Where proof can't be had, answered sessions go on with it."""
        self.answered()
        newcomer = self.newcomer()
        assert newcomer.heard == []
        self.cluster.clock.advance(5)
        self.cluster.settle()
        assert self.home.dropped
        self.client.say("ice-candidate", data={})
        self.cluster.settle()
        assert newcomer.types() == ["registered", "ice-candidate"]

    def test_stranger(self) -> None:
        """A holder that answers stays, and the newcomer hears why."""
        newcomer = self.newcomer(STRANGER)
        assert newcomer.heard == []
        self.home.pong()
        self.cluster.settle()
        assert [message["code"] for message in newcomer.heard] == ["remote-id-taken"]
        assert newcomer.closed == (1013, "Remote ID is in use")
        assert self.cluster.holders() == [0]
        self.client.say("offer", data={})
        self.cluster.settle()
        assert self.home.types() == ["offer"]

    def test_silent_holder(self) -> None:
        """It is dropped without a close frame; answered sessions wait, and the newcomer never sees them."""
        self.answered()
        newcomer = self.newcomer(STRANGER)
        self.cluster.clock.advance(5)
        self.cluster.settle()
        assert self.home.dropped
        assert newcomer.heard == [REGISTERED]
        assert self.cluster.holders() == [1]
        self.client.say("offer", data={})
        self.cluster.settle()
        assert newcomer.heard == [REGISTERED]

    def test_silent_holder_of_a_client_here(self) -> None:
        """The newcomer's own node gives it none of the sessions either, whatever it has heard of the eviction."""
        self.cluster.server.lose = lambda op, subject: op == "lost"
        self.answered()
        near = self.cluster.client(1)
        self.answered(self.cluster.session(self.home, near))
        newcomer = self.newcomer(STRANGER)
        self.cluster.clock.advance(5)
        self.cluster.settle()
        assert newcomer.heard == [REGISTERED]
        near.say("offer", data={})
        self.cluster.settle()
        assert newcomer.heard == [REGISTERED]

    def test_reported_once(self) -> None:
        """By the newcomer's node, and not by the one that refused it as well."""
        newcomer = self.newcomer(STRANGER)
        self.home.pong()
        self.cluster.settle()
        assert newcomer.closed is not None
        for event in (Event.TAKEOVER, Event.PEER_CLOSED):
            assert [world.reported().count(event) for world in self.cluster.worlds] == [0, 1, 0], event

    def test_holder_leaves_meanwhile(self) -> None:
        newcomer = self.newcomer(STRANGER)
        self.home.goodbye()
        self.cluster.settle()
        assert newcomer.heard == [REGISTERED]
        assert self.client.heard == [{"type": "peer-disconnected"}]
        assert self.cluster.holders() == [1]

    def test_newcomer_leaves_meanwhile(self) -> None:
        newcomer = self.newcomer(STRANGER)
        newcomer.goodbye()
        self.cluster.settle(20)
        assert self.home.is_there
        assert self.cluster.holders() == [0]

    def test_newcomer_leaves_before_it_is_granted(self) -> None:
        newcomer = self.cluster.worlds[1].connect("192.0.2.1")
        newcomer.say("register-server", remoteId="HOME")
        newcomer.breaks()
        self.cluster.settle()
        assert self.home.is_there
        assert self.cluster.lines[1].node._directory.registrations._previous_terms == {}

    def test_newcomer_leaves_a_silent_holder(self) -> None:
        """Its holder has lost the Remote ID, and nobody got it: the next stranger doesn't see its sessions either."""
        self.answered()
        newcomer = self.newcomer(STRANGER)
        self.cluster.server.lose = lambda op, subject: op == "withdrawn"
        newcomer.goodbye()
        self.cluster.settle(10)
        assert self.home.dropped
        other = self.newcomer("203.0.113.10")
        assert other.heard == [REGISTERED]
        self.client.say("offer", data={})
        self.cluster.settle(5)
        assert other.heard == [REGISTERED]

    def test_same_instant(self) -> None:
        """Two nodes, two strangers, one Remote ID: one gets it, the other is judged by it."""
        for latency in ((0.0, 0.0), (0.001, 0.02), (0.0, 0.2)):
            for seed in range(20):
                cluster = Cluster(2, seed=seed, latency=latency)
                one = cluster.worlds[0].connect("192.0.2.1")
                other = cluster.worlds[1].connect(STRANGER)
                one.say("register-server", remoteId="NEW")
                other.say("register-server", remoteId="NEW")
                for _ in range(10):
                    cluster.settle(0.2)
                    for peer in (one, other):
                        if peer.is_there and peer.pings:
                            peer.pong()
                cluster.settle(10)
                assert len(cluster.holders("NEW")) == 1, (latency, seed)
                winner, loser = (one, other) if cluster.holders("NEW") == [0] else (other, one)
                assert winner.heard[0] == {"type": "registered", "remoteId": "NEW"}
                assert winner.is_there
                assert loser.closed is not None
                assert loser.closed[0] == 1013

    def test_same_instant_on_one_bus(self) -> None:
        """The one that is judged second is judged at once, not when it asks again."""
        for seed in range(10):
            cluster = Cluster(2, seed=seed, latency=(0.001, 0.02))
            one, other = (cluster.worlds[node].connect(f"192.0.2.{node}") for node in range(2))
            for newcomer in (one, other):
                newcomer.say("register-server", remoteId="NEW")
            for _ in range(10):
                cluster.settle(0.2)
                for peer in (one, other):
                    if peer.is_there and peer.pings:
                        peer.pong()
            assert sum(peer.is_there for peer in (one, other)) == 1, seed

    def test_claim_or_verdict_lost(self) -> None:
        for lost in ("claim", "granted"):
            cluster = Cluster(2)
            home = cluster.home(0)
            left = [lost]

            def lose(op: str, subject: str, left: list[str] = left) -> bool:
                return op in left and not left.remove(op)  # type: ignore[func-returns-value]

            cluster.server.lose = lose
            newcomer = cluster.home(1)
            cluster.settle(60)
            assert not left
            assert newcomer.heard == [REGISTERED], lost
            assert home.dropped
            assert cluster.holders() == [1]
