"""A home that is lost on one node and comes back to another, or never."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event
from tests.support.memory_cluster import Cluster

REGISTERED = {"type": "registered", "remoteId": "HOME"}


class GraceTest(SynchronousTestCase):
    """A home's connection breaks, and it comes back elsewhere."""

    def setUp(self) -> None:
        self.cluster = Cluster(3)
        self.home = self.cluster.home(0)
        self.client = self.cluster.client(2)
        self.session_id = self.cluster.session(self.home, self.client)
        self.local = self.cluster.client(0)
        self.local_id = self.cluster.session(self.home, self.local)
        for session_id in (self.session_id, self.local_id):
            self.home.say("answer", sessionId=session_id, data={})
        self.cluster.settle()
        self.client.forget()
        self.local.forget()

    def test_on_another_node(self) -> None:
        self.home.breaks()
        self.cluster.settle()
        self.client.say("ice-candidate", data=1)
        self.local.say("ice-candidate", data=2)
        asking = self.cluster.client(1)
        assert asking.heard == []
        back = self.cluster.home(1)
        assert back.heard[0] == REGISTERED
        assert sorted(back.types()[1:]) == ["client-connected", "ice-candidate", "ice-candidate"]
        back.say("ice-candidate", sessionId=self.session_id, data=3)
        back.say("ice-candidate", sessionId=self.local_id, data=4)
        self.cluster.settle()
        assert [message["data"] for message in self.client.heard + self.local.heard] == [3, 4]
        found = self.cluster.worlds[0].hub.registry.find("HOME")
        assert found is not None
        assert not self.cluster.worlds[0].hub.sessions.remote.of(found)
        assert self.cluster.holders() == [1]

    def test_expires(self) -> None:
        """Every client's own node counts its grace."""
        self.home.breaks()
        self.cluster.settle(44)
        assert self.client.heard == []
        self.cluster.settle(2)
        assert self.client.heard == self.local.heard == [], "the calls may well be up"
        reported = [world.reported().count(Event.HOME_EXPIRED) for world in self.cluster.worlds]
        assert reported == [1, 0, 0]
        self.client.goodbye()
        self.local.goodbye()
        self.cluster.settle(70)
        assert not any("HOME" in subject for line in self.cluster.lines for subject in line.wanted)

    def test_nobody_who_asks_prolongs_it(self) -> None:
        """Ten minutes after the grace time answered sessions have ended on each node, whoever asks at which."""
        self.home.breaks()
        for number in range(66):
            self.cluster.client(number % 3)
            self.cluster.settle(9.5)
        assert [world.hub.counts()["clients"] for world in self.cluster.worlds] == [0, 0, 0]
        assert self.cluster.client(0).codes() == ["server-not-found"]
        self.cluster.settle(25)
        assert [world.hub.registry.find("HOME") for world in self.cluster.worlds] == [None] * 3
        assert not any("HOME" in subject for line in self.cluster.lines for subject in line.wanted)

    def test_goodbyes_meanwhile(self) -> None:
        """A client that left while the home was away: the home hears so when it is back, wherever that is."""
        self.home.breaks()
        self.cluster.settle()
        self.client.goodbye()
        back = self.cluster.home(1)
        assert back.heard == [REGISTERED, {"type": "client-disconnected", "sessionId": self.session_id}]

    def test_node_dies(self) -> None:
        """The sessions of other nodes' clients outlive it; those who waited on it are answered in time."""
        self.cluster.kill(0)
        self.cluster.settle(10)
        assert self.client.heard == []
        self.client.say("ice-candidate", data=1)
        back = self.cluster.home(1)
        assert back.types() == ["registered", "ice-candidate"]
        back.say("ice-candidate", sessionId=self.session_id, data=2)
        self.cluster.settle()
        assert [message["data"] for message in self.client.heard] == [2]

    def test_client_node_dies(self) -> None:
        """As where the client's connection breaks: only calls that aren't up yet are ended."""
        young = self.cluster.client(2)
        young_id = self.cluster.session(self.home, young)
        self.cluster.kill(2)
        self.cluster.settle(10)
        assert self.home.heard == [{"type": "client-disconnected", "sessionId": young_id}]

    def test_node_restarts(self) -> None:
        """It says goodbye: nobody is told but with 1012, and the sessions wait for the home."""
        hub = self.cluster.worlds[0].hub
        while hub.drain(10):
            pass
        self.cluster.lines[0].node.stop()
        assert self.home.closed == (1012, "Server is restarting")
        self.cluster.settle(10)
        assert self.client.heard == []
        back = self.cluster.home(1)
        back.say("ice-candidate", sessionId=self.session_id, data=2)
        self.cluster.settle()
        assert [message["data"] for message in self.client.heard] == [2]
