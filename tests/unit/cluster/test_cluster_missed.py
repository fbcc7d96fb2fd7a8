"""What a node says of homes that no node knows, while one is missed or a home is on its way back."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.members import LATE_SECONDS
from tests.support.memory_cluster import Cluster

HOMES = [f"HOME{number}" for number in range(12)]
"""More than an address may guess in a minute."""

HOMES_ADDRESS = "192.0.2.{}"
NAT = "198.51.100.1"
PARK = 20.0
GRACE = 45.0


def restart(cluster: Cluster) -> None:
    """Node 0 goes in order."""
    while cluster.worlds[0].hub.drain(100):
        pass
    cluster.lines[0].node.stop()
    cluster.settle()
    cluster.lines[0].leave()


def crash(cluster: Cluster) -> None:
    """Node 0 is gone, and silent for a beat and a little."""
    cluster.kill(0)
    cluster.settle(LATE_SECONDS)


def outage(cluster: Cluster) -> None:
    """NATS was away, and node 1 reaches it again before node 0 does."""
    for line in cluster.lines:
        line.cut()
    cluster.settle(2)
    cluster.lines[1].mend()
    cluster.settle(0.1)


class MissedNodeTest(SynchronousTestCase):
    """Its homes come to another node, or are still connected to it: who asks for them waits, and guesses nothing."""

    def test_asked_for(self) -> None:
        faults: list[Callable[[Cluster], None]] = [restart, crash, outage]
        for fault in faults:
            cluster = Cluster(2)
            for number, name in enumerate(HOMES):
                cluster.home(0, name, HOMES_ADDRESS.format(number + 1))
            fault(cluster)
            clients = [cluster.client(1, name, NAT) for name in HOMES]
            late = cluster.client(1, HOMES[0], NAT)
            limits = cluster.worlds[1].hub.limits
            assert limits.counts()["failedLookupTracked"] == limits.counts()["blockedIps"] == 0, fault
            assert all(client.heard == [] for client in (*clients, late)), fault
            assert cluster.is_online(1, "UNASKED") is False
            assert limits.counts()["failedLookupTracked"] == 0, fault
            home = cluster.home(1, HOMES[0], HOMES_ADDRESS.format(1))
            assert len(home.heard_of("client-connected")) == 2, fault
            cluster.settle(PARK)
            assert clients[1].codes() == ["server-not-found"], fault
            assert clients[1].is_there, fault

    def test_asked_for_in_vain(self) -> None:
        """An hour later, all that nobody knows is a guess."""
        for fault in (restart, crash):
            cluster = Cluster(2)
            fault(cluster)
            cluster.settle(3600)
            assert cluster.client(1, "GUESS").codes() == ["server-not-found"]
            assert cluster.is_online(1, "ANOTHER") is False
            assert cluster.worlds[1].hub.limits.counts()["failedLookupTracked"] == 2

    def test_another_node_goes_meanwhile(self) -> None:
        """Who asks for a home that was waited for in vain still waits, while another node is missed."""
        cluster = Cluster(3)
        restart(cluster)
        early = cluster.client(1, "HOME")
        cluster.settle(40)
        cluster.lines[2].node.stop()
        cluster.settle(14)
        cluster.client(1, "HOME", "198.51.100.2")
        cluster.settle(7)
        late = cluster.client(1, "HOME", "198.51.100.3")
        assert (early.codes(), late.codes()) == (["server-not-found"], [])
        assert cluster.worlds[1].hub.limits.counts()["failedLookupTracked"] == 0

    def test_nobody_is_known_yet(self) -> None:
        """A node that was started while NATS was away knows none that it could miss."""
        cluster = Cluster(1)
        cluster.lines[0].cut()
        cluster.settle(120)
        cluster.lines[0].mend()
        assert cluster.client(0, "HOME").codes() == []
        assert cluster.worlds[0].hub.limits.counts()["failedLookupTracked"] == 0

    def test_is_online(self) -> None:
        """Where nobody waits any more for a home that did not come, other nodes are asked for it again."""
        cluster = Cluster(3)
        restart(cluster)
        cluster.client(1, "HOME").goodbye()
        cluster.server.lose = lambda op, subject: op in ("registered", "arrived")
        cluster.home(2)
        assert cluster.is_online(1) is True


class HomeAwayElsewhereTest(SynchronousTestCase):
    """A home that another node expects back: whoever asks for it waits as at that node."""

    def setUp(self) -> None:
        self.cluster = Cluster(2)
        self.homes = [
            self.cluster.home(0, name, HOMES_ADDRESS.format(number + 1)) for number, name in enumerate(HOMES)
        ]
        for home in self.homes:
            home.breaks()
        self.cluster.settle(GRACE - 10)
        self.clients = [self.cluster.client(1, name, NAT) for name in HOMES]

    def test_grace_ends(self) -> None:
        """They wait for as long as anybody does, and have guessed nothing."""
        self.cluster.settle(PARK - 1 - 0.5 * len(HOMES))
        assert all(client.heard == [] for client in self.clients)
        self.cluster.settle(1 + 0.5 * len(HOMES))
        assert [client.codes() for client in self.clients] == [["server-not-found"]] * len(HOMES)
        assert self.cluster.worlds[1].hub.limits.counts()["failedLookupTracked"] == 0
        self.cluster.settle(60)
        assert not list(self.cluster.worlds[1].hub.registry.homes())

    def test_comes_after_its_grace(self) -> None:
        self.cluster.settle(12 - 0.5 * len(HOMES))
        for node, name in ((0, HOMES[0]), (1, HOMES[1])):
            home = self.cluster.home(node, name, HOMES_ADDRESS.format(1))
            self.cluster.settle(3)
            assert len(home.heard_of("client-connected")) == 1
            self.cluster.session(home, self.clients[node])

    def test_its_node_goes(self) -> None:
        """It may come to another one: who asks for it waits as for all homes of that node."""
        restart(self.cluster)
        self.cluster.settle(3)
        late = self.cluster.client(1, HOMES[0], "203.0.113.9")
        assert late.codes() == []
        assert self.cluster.worlds[1].hub.limits.counts()["failedLookupTracked"] == 0
        home = self.cluster.home(1, HOMES[0], HOMES_ADDRESS.format(1))
        assert len(home.heard_of("client-connected")) == 2

    def test_asked_for_when_it_is_given_up(self) -> None:
        """Who asks then prolongs nothing: it is unknown."""
        self.cluster.settle(12 - 0.5 * len(HOMES))
        late = self.cluster.client(1, HOMES[0], "203.0.113.9")
        self.cluster.settle(3)
        assert late.codes() == ["server-not-found"]
        assert self.clients[0].heard == []

    def test_nobody_waits_any_more(self) -> None:
        for client in self.clients:
            client.goodbye()
        self.cluster.settle(3)
        assert not list(self.cluster.worlds[1].hub.registry.homes())

    def test_is_online(self) -> None:
        """Its node is asked, though it was away when that was heard of last."""
        assert self.cluster.is_online(1, HOMES[0]) is False
        self.cluster.server.lose = lambda op, subject: op in ("registered", "arrived")
        self.cluster.home(0, HOMES[0], HOMES_ADDRESS.format(1))
        assert self.cluster.is_online(1, HOMES[0]) is True

    def test_reported_once(self) -> None:
        """The operator sees each request once, however its home turns up."""
        home = self.cluster.home(0, HOMES[0], HOMES_ADDRESS.format(1))
        self.cluster.settle(3)
        self.cluster.session(home, self.clients[0])
        requested = [
            event for event in self.cluster.worlds[1].reported() if event.name == "SESSION_REQUESTED"
        ]
        assert len(requested) == len(HOMES)
