"""Homes that arrive at a node of a cluster: what other nodes hear of it, and when."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster import registrations
from ma_signaling.cluster.messages.packing import pack
from ma_signaling.cluster.messages.registrations import LookUp
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import FakePeer


class ArrivalTest(SynchronousTestCase):
    """Two nodes."""

    def setUp(self) -> None:
        self.cluster = Cluster(2)

    def register(self, node: int, *names: str) -> list[FakePeer]:
        """Homes that register in one turn; nothing has reached NATS yet."""
        homes = []
        for number, name in enumerate(names):
            homes.append(self.cluster.worlds[node].connect(f"10.0.{number // 250}.{number % 250}"))
            homes[-1].say("register-server", remoteId=name)
        return homes

    def said(self) -> Counter[str]:
        """How often each operation was sent, but beats, since this was called last."""
        sent = Counter(op for _, op in self.cluster.server.sent if op != "beat")
        self.cluster.server.sent.clear()
        return sent

    def test_homes_that_nobody_asked_for(self) -> None:
        """One message for each, and one for all of them a little later."""
        self.said()
        homes = self.register(0, "FIRST", "SECOND", "THIRD")
        self.cluster.settle(0.2)
        assert all(home.types() == ["registered"] for home in homes)
        assert self.said() == {"claim": 3}
        self.cluster.settle(0.1)
        assert self.said() == {"arrived": 1}
        self.cluster.settle(1)
        assert not self.said()

    def test_many_homes(self) -> None:
        self.patch(registrations, "MAX_TOGETHER", 2)
        self.register(0, "FIRST", "SECOND", "THIRD")
        self.cluster.settle(1)
        assert self.said()["arrived"] == 2

    def test_home_that_leaves_at_once(self) -> None:
        (home,) = self.register(0, "HOME")
        self.cluster.settle(0.1)
        home.goodbye()
        self.cluster.settle(0.5)
        assert "arrived" not in self.said()

    def test_home_that_was_asked_for_while_it_was_claimed(self) -> None:
        """Its node hears of it at once, or its client would wait until it asks again."""
        self.register(0, "HOME")
        asked = LookUp(sender="n1", remote_id="HOME", question=7)
        self.cluster.lines[0].node.received(pack(asked))
        self.cluster.settle(0.1)
        assert self.said()["registered"] == 2

    def test_home_that_a_client_waits_for(self) -> None:
        """It is away as far as the other node knows, which has a part in its claim."""
        home = self.cluster.home(0)
        client = self.cluster.client(1)
        self.cluster.session(home, client)
        client.say("offer", data={})
        self.cluster.kill(0)
        self.cluster.settle(10)
        self.cluster.add("n2")
        (back,) = self.register(2, "HOME")
        self.cluster.settle(0.1)
        assert back.types()[0] == "registered"
        assert back.types()[-2:] == ["client-connected", "offer"]

    def test_two_that_did_not_hear_each_other(self) -> None:
        """Each was told that nobody has the Remote ID: that is found out when others hear of their arrivals."""
        self.cluster.lines[1].side = 1
        homes = [*self.register(0, "HOME"), *self.register(1, "HOME")]
        self.cluster.settle(0.1)
        assert self.cluster.holders() == [0, 1]
        self.cluster.lines[1].side = 0
        self.cluster.settle(0.5)
        for home in homes:
            if home.pings:
                home.pong()
        self.cluster.settle(1)
        assert self.cluster.holders() == [0]
        assert homes[1].closed == (1013, "Remote ID is in use")

    def test_claim_that_hears_of_another_one_that_was_granted(self) -> None:
        """What became of it is asked of the node that holds the Remote ID now."""
        self.cluster.lines[1].side = 1
        self.register(0, "HOME")
        self.cluster.settle(0.1)
        self.cluster.server.lose = lambda op, subject: op == "claim"
        (rival,) = self.register(1, "HOME")
        self.cluster.lines[1].side = 0
        self.cluster.settle(0.1)
        self.cluster.server.lose = lambda op, subject: False
        assert rival.heard == []
        self.cluster.settle(0.5)
        (holder,) = self.cluster.worlds[0].hub.connections()
        assert isinstance(holder.peer, FakePeer)
        holder.peer.pong()
        self.cluster.settle()
        assert rival.codes() == ["remote-id-taken"]
