"""Ends of sessions that the home's node doesn't hear of, and sessions that it takes for ended."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.relay import RENEWED_SECONDS
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import FakePeer

GRACE = 45.0


def remote_sessions(cluster: Cluster) -> list[str]:
    """The sessions that node 0 knows of, of other nodes' clients."""
    return [session.id for session in cluster.worlds[0].hub.sessions.remote.all()]


class LostEndTest(SynchronousTestCase):
    """The home hears that an unanswered session is over, and has room for another one."""

    def setUp(self) -> None:
        self.cluster = Cluster(2, home_sessions=1)
        self.home = self.cluster.home(0)
        self.client = self.cluster.client(1)
        self.session = self.cluster.session(self.home, self.client)
        self.client.say("offer", data={})
        self.cluster.settle()
        self.home.forget()

    def assert_over(self) -> None:
        assert self.home.types() == ["client-disconnected"]
        assert self.home.heard[0]["sessionId"] == self.session
        self.home.forget()
        another = self.cluster.client(1, text="203.0.113.7")
        assert another.heard == []
        self.cluster.session(self.home, another)

    def test_bus_away_for_long(self) -> None:
        ends: list[Callable[[FakePeer], None]] = [FakePeer.goodbye, FakePeer.breaks]
        for cut in ([0, 1], [0]):
            for end in ends:
                self.setUp()
                for number in cut:
                    self.cluster.lines[number].cut()
                end(self.client)
                self.cluster.settle(GRACE + 5)
                for number in cut:
                    self.cluster.lines[number].mend()
                self.cluster.settle(15)
                self.assert_over()

    def test_goodbye_lost(self) -> None:
        self.cluster.server.lose = lambda op, subject: op in ("to-home", "detach")
        self.client.goodbye()
        self.cluster.settle()
        self.cluster.server.lose = lambda op, subject: False
        assert remote_sessions(self.cluster) == [self.session]
        self.cluster.settle(RENEWED_SECONDS + 2)
        self.assert_over()


class GoesOnTest(SynchronousTestCase):
    """A session that goes on is not taken for an ended one."""

    def setUp(self) -> None:
        self.cluster = Cluster(2)
        self.home = self.cluster.home(0)
        self.client = self.cluster.client(1)
        self.session = self.cluster.session(self.home, self.client)
        self.client.say("offer", data={})
        self.cluster.settle()
        self.home.say("answer", sessionId=self.session, data={})
        self.cluster.settle()
        self.home.forget()
        self.client.forget()

    def assert_goes_on(self) -> None:
        self.home.say("ice-candidate", sessionId=self.session, data={})
        self.client.say("ice-candidate", data={})
        self.cluster.settle()
        assert self.home.types() == self.client.types() == ["ice-candidate"]
        assert remote_sessions(self.cluster) == [self.session]

    def test_for_an_hour(self) -> None:
        self.cluster.settle(3600)
        self.assert_goes_on()

    def test_while_the_bus_is_away(self) -> None:
        for cut in ([0, 1], [0], [1]):
            self.setUp()
            for number in cut:
                self.cluster.lines[number].cut()
            self.cluster.settle(30)
            for number in cut:
                self.cluster.lines[number].mend()
            self.cluster.settle(60)
            self.assert_goes_on()

    def test_bus_away_for_very_long(self) -> None:
        """The home's node keeps a call that is probably up, as the client's node does."""
        for line in self.cluster.lines:
            line.cut()
        self.cluster.settle(2 * RENEWED_SECONDS)
        assert remote_sessions(self.cluster) == [self.session]
        for line in self.cluster.lines:
            line.mend()
        self.cluster.settle(30)
        self.assert_goes_on()


class StoodStillTest(SynchronousTestCase):
    """A client's node that was given up, and lives: its unanswered sessions are over for their homes."""

    def test_begins_anew(self) -> None:
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        node = cluster.lines[1].node
        assert node._timer is not None
        node._timer.cancel()
        cluster.settle(9)
        assert home.types() == ["client-disconnected"]
        home.forget()
        node._tick()
        cluster.settle(1)
        client.say("offer", data={})
        cluster.settle()
        assert home.types() == ["client-disconnected", "client-connected", "offer"]
        assert {message["sessionId"] for message in home.heard} == {session_id}
        home.say("answer", sessionId=session_id, data={})
        cluster.settle()
        assert client.types() == ["answer"]
