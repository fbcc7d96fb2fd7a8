"""Several nodes, and newcomers whose claims cross."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import FakePeer

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

    def test_one_owner_comes_several_times(self) -> None:
        """However its connections cross, one of them holds it in the end: nobody is replaced for one that is gone."""
        for seed in range(60):
            chance = Random(seed)
            cluster = Cluster(3, seed=seed, latency=(0.001, 0.05))
            peers = []
            for _ in range(chance.choice([3, 4])):
                peers.append(newcomer(cluster, chance.choice([0, 0, 1]), OWNER))
                cluster.clock.advance(chance.choice([0, 0.01, 0.05, 0.2]))
            for _ in range(30):
                cluster.clock.advance(1)
                for peer in peers:
                    if peer.is_there and peer.pings:
                        peer.pong()
            assert [peer.types()[0] for peer in peers if peer.is_there] == ["registered"], seed

    def test_strangers_that_come_and_go(self) -> None:
        """A claim goes on, whoever gives up another one."""
        cluster = Cluster(3, latency=(0.001, 0.004))
        owner = newcomer(cluster, 1, OWNER)
        cluster.clock.advance(0.0005)
        strangers = [newcomer(cluster, 0, STRANGER) for _ in range(2)]
        for number in range(20):
            cluster.clock.advance(0.2)
            stranger = strangers[number % 2]
            if stranger.is_there:
                stranger.say("register-server", remoteId=f"OTHER{number % 3}")
                cluster.clock.advance(0.01)
                stranger.say("register-server", remoteId="HOME")
        assert owner.types() == ["registered"]

    def test_the_elders_node_goes(self) -> None:
        """Its newcomers are let go, and stand in nobody's way."""
        cluster = Cluster(3, latency=(0.01, 0.01))
        cluster.server.lose = lambda op, subject: op in {"claim", "no-objection"}
        elder = newcomer(cluster, 0, OWNER)
        cluster.settle(0.1)
        cluster.server.lose = lambda op, subject: op == "no-objection"
        younger = newcomer(cluster, 1, STRANGER)
        cluster.settle(0.1)
        assert elder.heard == []
        while cluster.worlds[0].hub.drain(10):
            pass
        cluster.settle(2)
        assert younger.types() == ["registered"]
