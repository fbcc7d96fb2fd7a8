"""Several nodes, and newcomers whose claims cross."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.cluster import Cluster
from tests.heart import FakePeer

OWNER = "192.0.2.1"
STRANGER = "203.0.113.9"
OTHER = "203.0.113.77"


def newcomer(cluster: Cluster, node: int, text: str) -> FakePeer:
    """Somebody who has just asked for a Remote ID."""
    peer = cluster.worlds[node].connect(text)
    peer.say("register-server", remoteId="HOME")
    return peer


class CrossingTest(SynchronousTestCase):
    """A holder's node decides, whatever else is said meanwhile."""

    def test_strangers_of_either_family(self) -> None:
        """Elsewhere only the network of an IPv6 address is known."""
        for stranger in (STRANGER, "2001:db8:1:2::5"):
            cluster = Cluster(2)
            home = cluster.home(0)
            judged = newcomer(cluster, 1, stranger)
            cluster.settle()
            home.pong()
            cluster.settle()
            assert judged.codes() == ["remote-id-taken"], stranger
            home.goodbye()
            assert cluster.holders() == []

    def test_strangers_on_two_nodes(self) -> None:
        """That the one has nothing against the other does not make either the holder."""
        for seed in range(20):
            cluster = Cluster(3, seed=seed, latency=(0.001, 0.01))
            home = cluster.home(0)
            client = cluster.client(1)
            cluster.session(home, client)
            strangers = []
            for node in (1, 2):
                strangers.append(newcomer(cluster, node, f"203.0.113.{node}"))
                cluster.clock.advance(0.001)
            cluster.settle(0.6)
            assert cluster.holders() == [0], seed
            home.pong()
            cluster.settle()
            client.say("ice-candidate", data={})
            cluster.settle()
            assert home.types() == ["ice-candidate"], seed
            assert [stranger.codes() for stranger in strangers] == [["remote-id-taken"]] * 2, seed

    def test_newcomers_here_and_there(self) -> None:
        """Where the home is held, the claim of a newcomer there says nothing of one elsewhere."""
        first, second, third = (0, OWNER), (1, STRANGER), (0, OTHER)
        for order in ((first, second, third), (first, third, second), (second, first, third)):
            cluster = Cluster(2, latency=(0.02, 0.02))
            peers = []
            for node, text in order:
                peers.append(newcomer(cluster, node, text))
                cluster.clock.advance(0.001)
            for _ in range(2000):
                cluster.clock.advance(0.005)
                assert len(cluster.holders()) <= 1, order
                for peer in peers:
                    if peer.pings and peer.is_there:
                        peer.pong()
                        peer.pings.clear()
            assert sum(peer.is_there for peer in peers) == 1, order

    def test_the_elder_leaves(self) -> None:
        """Who gave way to it is judged at once."""
        for seed in range(20):
            cluster = Cluster(2, seed=seed, latency=(0.002, 0.05))
            elder = newcomer(cluster, 0, OWNER)
            cluster.clock.advance(0.001)
            younger = newcomer(cluster, 1, STRANGER)
            cluster.settle(0.2)
            elder.goodbye()
            cluster.settle(1)
            assert younger.types() == ["registered"], seed

    def test_the_last_newcomer_leaves(self) -> None:
        """Nobody is left to whom the holder must prove anything."""
        cluster = Cluster(2)
        home = cluster.home(0)
        stranger = newcomer(cluster, 1, STRANGER)
        cluster.settle()
        assert home.pings
        stranger.say("register-server", remoteId="ANOTHER")
        cluster.settle(10)
        assert cluster.holders() == [0]
        assert cluster.holders("ANOTHER") == [1]

    def test_asked_for_while_the_verdict_is_under_way(self) -> None:
        """Whoever asks at the newcomer's node is the newcomer's client."""
        cluster = Cluster(2, latency=(0.03, 0.03))
        home = cluster.home(0)
        winner = newcomer(cluster, 1, STRANGER)
        while not home.dropped:
            cluster.clock.advance(0.001)
        client = cluster.client(1)
        assert winner.types() == ["registered", "client-connected"]
        assert client.heard == []
