"""Several nodes, and homes, clients and nodes that leave."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.members import UNSURE_SECONDS
from ma_signaling.cluster.messages.nodes import MetAgain
from ma_signaling.cluster.messages.packing import pack
from ma_signaling.cluster.messages.sessions import Attach, Attached
from ma_signaling.core.session import Negotiation
from tests.support.memory_cluster import Cluster

STRANGER = "203.0.113.9"
REGISTERED = {"type": "registered", "remoteId": "HOME"}


class LeavingTest(SynchronousTestCase):
    """Nodes and buses that go while something is under way."""

    def test_bus_goes_during_a_claim(self) -> None:
        """The newcomer is not kept waiting for an answer that cannot come."""
        cluster = Cluster(2, latency=(0.4, 0.4))
        cluster.home(0)
        cluster.settle(2)
        newcomer = cluster.worlds[1].connect("192.0.2.1")
        newcomer.say("register-server", remoteId="HOME")
        assert newcomer.heard == []
        cluster.lines[1].cut()
        assert newcomer.heard == [REGISTERED]

    def test_holders_node_goes_during_a_check(self) -> None:
        """It decides nothing any more, and stands in nobody's way."""
        cluster = Cluster(2)
        cluster.home(0)
        newcomer = cluster.home(1, text=STRANGER)
        assert newcomer.heard == []
        hub = cluster.worlds[0].hub
        while hub.drain(10):
            pass
        cluster.settle(2)
        assert newcomer.heard == [REGISTERED]

    def test_clients_node_goes(self) -> None:
        """Orderly: the home hears nothing of it, and keeps nothing."""
        cluster = Cluster(2)
        home = cluster.home(0)
        cluster.session(home, cluster.client(1))
        hub = cluster.worlds[1].hub
        while hub.drain(10):
            pass
        cluster.lines[1].node.stop()
        cluster.settle(2)
        assert home.heard == []
        found = cluster.worlds[0].hub.registry.find("HOME")
        assert found is not None
        assert not cluster.worlds[0].hub.sessions.remote.of(found)

    def test_clients_node_dies_during_a_call(self) -> None:
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        home.say("answer", sessionId=session_id, data={})
        cluster.settle(3)
        cluster.kill(1)
        cluster.settle(80)
        assert home.heard == []
        assert not cluster.lines[0].node._relay._announced

    def test_bus_goes_during_questions(self) -> None:
        cluster = Cluster(2, latency=(0.4, 0.4))
        cluster.settle(3)
        cluster.home(0)
        lookups = cluster.worlds[1].hub.lookups
        asker = cluster.worlds[1].connect(STRANGER).connection.address
        answers: list[object] = []
        lookups.ask_online(asker, "HOME", answers.append)
        cluster.lines[1].cut()
        assert answers == [False]
        lookups.ask_online(asker, "HOME", answers.append)
        lookups.trace(asker, "0" * 32, answers.append)
        assert answers == [False, False, None]

    def test_answers_that_come_late(self) -> None:
        cluster = Cluster(2, latency=(1.0, 1.0))
        cluster.settle(5)
        home = cluster.worlds[0].connect("192.0.2.1")
        home.say("register-server", remoteId="HOME")
        cluster.settle(10)
        client = cluster.worlds[0].connect("198.51.100.1")
        client.say("connect-request", remoteId="HOME")
        session_id = home.heard_of("client-connected")[0]["sessionId"]
        asker = cluster.worlds[1].connect(STRANGER).connection.address
        answers: list[object] = []
        cluster.worlds[1].hub.lookups.ask_online(asker, "HOME", answers.append)
        cluster.worlds[1].hub.lookups.trace(asker, session_id, answers.append)
        cluster.settle(10)
        assert answers == [None, False], "told in time that nothing is known, and not told again"

    def test_node_that_was_suspended(self) -> None:
        """Others may have given it up: it tells everything anew."""
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        node = cluster.lines[0].node
        assert node._timer is not None
        node._timer.cancel()
        cluster.lines[0].side = 1
        cluster.settle(20)
        assert cluster.worlds[1].hub.counts()["cluster"]["nodes"] == 1  # type: ignore[index]
        cluster.lines[0].side = 0
        node._tick()
        cluster.settle(5)
        assert cluster.worlds[1].hub.counts()["cluster"]["nodes"] == 2  # type: ignore[index]
        home.say("answer", sessionId=session_id, data={})
        cluster.settle()
        assert client.types() == ["answer"]

    def test_node_that_was_never_heard_of(self) -> None:
        """Whoever says anything will be missed, whether its beats came through or not."""
        cluster = Cluster(2)
        cluster.server.lose = lambda op, subject: op == "beat"
        home = cluster.home(0)
        client = cluster.client(1)
        cluster.session(home, client)
        cluster.kill(0)
        cluster.settle(20)
        assert cluster.is_online(1) is False

    def test_a_node_that_has_gone_says_no_more(self) -> None:
        """What was under way to it then must not bring it back: it would be missed for ever, and no guess counted."""
        cluster = Cluster(2, latency=(0.01, 0.01))
        home = cluster.home(0)
        client = cluster.client(1)
        cluster.session(home, client)
        leaving, staying = cluster.worlds
        while leaving.hub.drain(10):
            pass
        cluster.lines[0].node.stop()
        client.say("ice-candidate", data={})
        cluster.settle(8)
        assert staying.hub.counts()["cluster"] == {"nodes": 1, **staying.hub.own_counts()}
        cluster.settle(UNSURE_SECONDS)
        guesser = staying.connect(STRANGER)
        for number in range(10):
            guesser.say("connect-request", remoteId=f"GUESS{number}")
        cluster.settle()
        assert guesser.codes()[-1] == "blocked"

    def test_asked_for_while_the_bus_is_away(self) -> None:
        """Nothing stays of homes that nobody waits for any more."""
        cluster = Cluster(2)
        cluster.lines[0].cut()
        hub = cluster.worlds[0].hub
        asker = cluster.worlds[0].connect(STRANGER)
        for number in range(50):
            asker.say("connect-request", remoteId=f"UNKNOWN{number}")
        cluster.settle(30)
        assert hub.registry._homes == {}

    def test_attached_while_it_makes_way(self) -> None:
        """A session that its home's node has given up takes no place there any more."""
        cluster = Cluster(2, latency=(0.01, 0.01), home_sessions=2)
        home = cluster.home(0)
        for _ in range(2):
            cluster.session(home, cluster.client(1))
        crowding = cluster.worlds[0].connect(STRANGER)
        crowding.say("connect-request", remoteId="HOME")
        cluster.lines[1].node.received(pack(MetAgain(sender="n0")))
        cluster.settle(2)
        known = cluster.worlds[0].hub.registry.find("HOME")
        assert known is not None
        assert (
            len(cluster.worlds[0].hub.sessions.remote.of(known)) == len(cluster.worlds[1].hub.sessions) == 1
        )

    def test_attached_though_it_found_no_room(self) -> None:
        """What its node said before it knew so must not count."""
        cluster = Cluster(2, home_sessions=1)
        home = cluster.home(0)
        busy = cluster.client(0)
        cluster.session(home, busy)
        busy.say("offer", data={})
        refused = cluster.client(1, text=STRANGER)
        assert refused.codes() == ["home-busy"]
        known = cluster.worlds[0].hub.registry.find("HOME")
        assert known is not None
        listed = [Attached(refused.connection.earlier_sessions[-1], STRANGER, 1, Negotiation.NOTHING)]
        attach = Attach(sender="n1", remote_id="HOME", connection=home.connection.id, sessions=listed)
        cluster.lines[0].node.received(pack(attach))
        assert not cluster.worlds[0].hub.sessions.remote.of(known)
