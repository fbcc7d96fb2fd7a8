"""Several nodes, and a bus that is away, in pieces, or lossy."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_cluster import Cluster

STRANGER = "203.0.113.9"
REGISTERED = {"type": "registered", "remoteId": "HOME"}


class BusTest(SynchronousTestCase):
    """The bus is away, or some of it."""

    def setUp(self) -> None:
        self.cluster = Cluster(2)
        self.home = self.cluster.home(0)
        self.client = self.cluster.client(1)
        self.session_id = self.cluster.session(self.home, self.client)
        self.home.say("answer", sessionId=self.session_id, data={})
        self.cluster.settle()
        self.client.forget()

    def cut_all(self) -> None:
        for line in self.cluster.lines:
            line.cut()

    def mend_all(self) -> None:
        for line in self.cluster.lines:
            line.mend()
        self.cluster.settle(5)

    def test_away_for_half_a_minute(self) -> None:
        """Pairs on one node go on; what goes across is held, and delivered."""
        local = self.cluster.client(0)
        self.cut_all()
        self.cluster.session(self.home, local)
        self.client.say("ice-candidate", data=1)
        waiting = self.cluster.client(1, text=STRANGER)
        self.cluster.settle(15)
        assert waiting.heard == []
        self.mend_all()
        assert self.home.types() == ["client-connected", "ice-candidate"] or self.home.types() == [
            "ice-candidate",
            "client-connected",
        ]
        self.home.say("ice-candidate", sessionId=self.session_id, data=2)
        self.cluster.settle()
        assert [message["data"] for message in self.client.heard] == [2]

    def test_requests_are_answered(self) -> None:
        self.cut_all()
        waiting = self.cluster.client(1, "ANY", STRANGER)
        self.cluster.settle(20)
        assert [message["code"] for message in waiting.heard] == ["server-not-found"]
        counts = self.cluster.worlds[1].hub.limits.counts()
        assert counts["failedLookupTracked"] == 0, "it was no guess: nobody was asked"

    def test_request_before_it_is_back(self) -> None:
        self.cluster.lines[1].cut()
        self.home.forget()
        waiting = self.cluster.client(1, text=STRANGER)
        given_up = self.cluster.client(1, "ANY", STRANGER)
        given_up.goodbye()
        self.cluster.settle(5)
        self.mend_all()
        assert self.home.types() == ["client-connected"]
        self.cluster.session(self.home, waiting)
        assert self.cluster.worlds[1].hub.registry.find("ANY") is None

    def test_call_outlives_a_cut(self) -> None:
        """A call whose answer was lost begins anew; the home is told of nothing else."""
        other = self.cluster.client(1, text=STRANGER)
        session_id = self.cluster.session(self.home, other)
        self.cluster.server.lose = lambda op, subject: op == "to-client"
        self.home.say("answer", sessionId=session_id, data={})
        self.cluster.settle()
        self.cluster.lines[1].cut(noticed=False)
        self.cluster.settle(20)
        self.cluster.lines[1].mend()
        self.cluster.settle(5)
        assert self.home.types() == ["client-disconnected", "client-connected"]
        self.home.forget()
        other.say("ice-candidate", data=1)
        self.cluster.settle(70)
        assert self.home.types() == ["ice-candidate"]
        self.home.goodbye()
        other.goodbye()
        self.cluster.settle(70)
        assert self.cluster.lines[0].node._relay._announced == {}

    def test_a_call_that_is_not_known_again(self) -> None:
        """The home's node gave up the client's, and what that said when they met again was lost: it says so again."""
        self.cluster.lines[1].side = 1
        self.cluster.settle(10)
        self.cluster.server.lose = lambda op, subject: op == "attach"
        self.cluster.lines[1].side = 0
        self.cluster.settle(5)
        self.cluster.server.lose = lambda op, subject: False
        self.home.forget()
        self.cluster.settle(65)
        self.home.say("ice-candidate", sessionId=self.session_id, data=1)
        self.cluster.settle()
        assert self.client.types() == ["ice-candidate"]
        assert self.home.codes() == []

    def test_third_node_follows_the_better_one(self) -> None:
        """One that saw only the other, which has got it later, learns so too."""
        cluster = Cluster(3)
        home = cluster.home(0)
        cluster.settle(3)
        cluster.lines[0].side = 1
        stranger = cluster.home(1, text=STRANGER)
        client = cluster.client(2)
        assert stranger.types() == ["registered", "client-connected"]
        cluster.lines[0].side = 0
        for _ in range(70):
            cluster.settle(1)
            if home.pings:
                home.pong()
        assert cluster.holders() == [0]
        home.forget()
        client.say("connect-request", remoteId="HOME")
        cluster.settle()
        assert home.types()[-1:] == ["client-connected"]

    def test_loss_is_not_heard(self) -> None:
        """Nobody repeats that a home is gone, so whoever has heard nothing of it for long asks."""
        self.cluster.server.lose = lambda op, subject: op == "lost"
        self.home.breaks()
        self.cluster.settle(75)
        assert self.cluster.is_online(1) is False
        self.cluster.settle(45)
        assert self.client.heard == [], "the call may well be up"

    def test_home_moves_meanwhile(self) -> None:
        """A node is cut off; the home moves; afterwards its old connection answers no probe, and is dropped."""
        self.cluster.lines[0].cut()
        moved = self.cluster.home(1)
        assert moved.heard[0] == REGISTERED
        assert self.cluster.holders() == [0, 1]
        self.cluster.lines[0].mend()
        self.cluster.settle(6)
        assert self.cluster.holders() == [1]
        assert self.home.dropped
        assert moved.is_there
        self.client.say("ice-candidate", data=1)
        self.cluster.settle()
        assert moved.types()[-1] == "ice-candidate"

    def test_squatter_meanwhile(self) -> None:
        """Behind a partition a stranger gets it; afterwards the one who was there before stays, as it lives."""
        self.cluster.lines[0].cut()
        stranger = self.cluster.home(1, text=STRANGER)
        assert stranger.heard[0] == REGISTERED
        self.cluster.lines[0].mend()
        self.cluster.settle(3)
        self.home.pong()
        self.cluster.settle()
        assert self.cluster.holders() == [0]
        assert stranger.codes() == ["remote-id-taken"]
        assert stranger.closed == (1013, "Remote ID is in use")
        assert self.home.is_there

    def test_node_stands_still(self) -> None:
        """For a while nothing is heard of a node that lives: its homes are found again."""
        self.cluster.lines[0].cut(noticed=False)
        self.cluster.settle(20)
        assert self.cluster.is_online(1) is False
        self.cluster.lines[0].mend()
        self.cluster.settle(5)
        assert self.cluster.is_online(1) is True
        self.client.say("ice-candidate", data=1)
        self.cluster.settle()
        assert self.home.types()[-1] == "ice-candidate"
        self.home.say("ice-candidate", sessionId=self.session_id, data=2)
        self.cluster.settle()
        assert self.client.types()[-1] == "ice-candidate"

    def test_every_message_may_be_lost(self) -> None:
        """Once each: afterwards the home is found, and held once."""
        for lost in (
            *(
                "registered",
                "lost",
                "look-up",
                "holder",
                "claim",
                "granted",
                "beat",
                "to-home",
                "to-client",
                "attach",
            ),
        ):
            cluster = Cluster(3)
            left = [lost]

            def lose(op: str, subject: str, left: list[str] = left) -> bool:
                return op in left and not left.remove(op)  # type: ignore[func-returns-value]

            cluster.server.lose = lose
            home = cluster.home(0)
            client = cluster.client(1)
            cluster.settle(11)
            home.say("answer", sessionId=client.heard[-1]["sessionId"], data={})
            home.breaks()
            cluster.home(2)
            cluster.settle(70)
            assert not left, f"{lost} was never sent"
            assert cluster.holders() == [2], lost
            for node in range(3):
                assert cluster.is_online(node) is True, (lost, node)
