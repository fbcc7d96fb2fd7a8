"""Several nodes, and answers that don't come."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.messages.packing import pack
from ma_signaling.cluster.messages.sessions import ToClient
from tests.support.memory_cluster import Cluster

STRANGER = "203.0.113.9"
REGISTERED = {"type": "registered", "remoteId": "HOME"}


class SilenceTest(SynchronousTestCase):
    """What is lost, or comes from where it should not, and what others then hear of it."""

    def test_what_another_node_says_of_a_home(self) -> None:
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        body = json.dumps({"type": "answer", "sessionId": session_id, "data": {}}).encode()
        message = ToClient(
            sender="another", remote_id="HOME", session=session_id, type="answer", places=b"", announcement=1
        )
        cluster.lines[1].node.received(pack(message, [body]))
        assert client.heard == []

    def test_attached_by_what_its_client_says(self) -> None:
        """A call that is up stays up, although its home's new node was never told of it."""
        cluster = Cluster(3)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        home.say("answer", sessionId=session_id, data={})
        cluster.settle()
        cluster.server.lose = lambda op, subject: op == "attach"
        moved = cluster.home(2)
        cluster.settle(6)
        client.say("ice-candidate", data={})
        cluster.settle()
        cluster.kill(1)
        cluster.settle(10)
        assert moved.types() == ["registered", "ice-candidate"]

    def test_offer_that_a_home_elsewhere_does_not_answer(self) -> None:
        """Its client hears so in time, whatever the home's node does."""
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        cluster.session(home, client)
        client.say("offer", data={})
        cluster.settle(34)
        assert client.heard == []
        cluster.settle(2)
        assert client.types() == ["peer-disconnected"]

    def test_bus_away_before_the_home_is_ready(self) -> None:
        """Its ICE servers are known again, though holds are told anew without them."""
        cluster = Cluster(2)
        cluster.home(0, iceServers=[{"urls": "stun:a"}])
        client = cluster.client(1)
        for line in cluster.lines:
            line.cut()
        for line in reversed(cluster.lines):
            line.mend()
            cluster.settle(0.1)
        cluster.settle(15)
        assert client.heard[0]["iceServers"] == [{"urls": "stun:a"}]

    def test_given_up_by_one_side(self) -> None:
        """A node that another has given up, and not the other way round, says again what it has."""
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        home.say("answer", sessionId=session_id, data=1)
        cluster.settle(3)
        node = cluster.lines[0].node
        del node._members._members["n1"]
        node._lost("n1", False)
        cluster.settle(3)
        home.say("answer", sessionId=session_id, data=2)
        cluster.settle()
        assert [message["data"] for message in client.heard] == [1, 2]

    def test_goodbye_of_a_node_makes_up_for_what_was_lost(self) -> None:
        cluster = Cluster(2)
        home = cluster.home(0)
        cluster.session(home, cluster.client(1))
        cluster.server.lose = lambda op, subject: op == "detach"
        hub = cluster.worlds[1].hub
        while hub.drain(10):
            pass
        cluster.lines[1].node.stop()
        cluster.settle(2)
        found = cluster.worlds[0].hub.registry.find("HOME")
        assert found is not None
        assert not cluster.worlds[0].hub.sessions.remote.of(found)
        assert home.heard == []

    def test_one_that_changes_hands_does_not_hold_up_others(self) -> None:
        cluster = Cluster(2)
        cluster.home(0)
        cluster.home(0, "OTHER", STRANGER)
        cluster.server.sent.clear()
        for _ in range(4):
            cluster.settle(40)
            cluster.home(0)
        assert any(
            subject.endswith(".home.OTHER") for subject, op in cluster.server.sent if op == "registered"
        )
