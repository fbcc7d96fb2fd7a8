"""Several nodes, and a bus that is away, in pieces, or lossy; and what seldom happens in that order."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.cluster import Cluster

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
        """A home that was not told of the loss of a call's client is not told of the call anew."""
        other = self.cluster.client(1, text=STRANGER)
        session_id = self.cluster.session(self.home, other)
        self.cluster.server.lose = lambda op, subject: op == "said"
        self.home.say("answer", sessionId=session_id, data={})
        self.cluster.settle()
        self.cluster.lines[1].cut(noticed=False)
        self.cluster.settle(20)
        self.cluster.lines[1].mend()
        self.cluster.settle(5)
        assert self.home.heard == []
        other.say("ice-candidate", data=1)
        self.cluster.settle(70)
        assert self.home.types() == ["ice-candidate"]
        self.home.goodbye()
        other.goodbye()
        self.cluster.settle(70)
        assert self.cluster.lines[0].node._relay._heard == {}

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
        cluster.settle(70)
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
        assert self.client.heard == [{"type": "peer-disconnected"}]

    def test_home_moves_meanwhile(self) -> None:
        """A node is cut off and does not notice; the home moves; afterwards the newer connection stays."""
        self.cluster.lines[0].cut()
        moved = self.cluster.home(1)
        assert moved.heard[0] == REGISTERED
        assert self.cluster.holders() == [0, 1]
        self.cluster.lines[0].mend()
        self.cluster.settle(3)
        assert self.cluster.holders() == [1]
        assert self.home.closed == (1012, "Server is restarting")
        assert moved.is_there

    def test_squatter_meanwhile(self) -> None:
        """Behind a partition a stranger gets it; afterwards the one who was there before stays."""
        self.cluster.lines[0].cut()
        stranger = self.cluster.home(1, text=STRANGER)
        assert stranger.heard[0] == REGISTERED
        self.cluster.lines[0].mend()
        self.cluster.settle(3)
        assert self.cluster.holders() == [0]
        assert stranger.closed == (1012, "Server is restarting")
        assert self.home.is_there
        self.client.say("ice-candidate", data=1)
        self.cluster.settle(3)

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
        for lost in ("held", "lost", "look", "here", "claim", "granted", "beat", "tell", "said", "attach"):
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
            assert cluster.holders() == [2], lost
            for node in range(3):
                assert cluster.is_online(node) is True, (lost, node)


class OrderTest(SynchronousTestCase):
    """What goes wrong if things happen in an order that they seldom happen in."""

    def test_owner_and_stranger_at_one_node(self) -> None:
        """Each newcomer is judged by its own right, whoever was first."""
        for owner_first in (False, True):
            cluster = Cluster(2, latency=(0.01, 0.02))
            cluster.home(0)
            owner = cluster.worlds[1].connect("192.0.2.1")
            stranger = cluster.worlds[1].connect(STRANGER)
            for newcomer in (owner, stranger) if owner_first else (stranger, owner):
                newcomer.say("register-server", remoteId="HOME")
            for _ in range(40):
                cluster.settle(0.2)
                if owner.pings:
                    owner.pong()
            assert owner.heard == [REGISTERED]
            assert stranger.closed == (1013, "Remote ID is in use")
            assert cluster.holders() == [1]

    def test_nothing_stays_of_a_session_that_ended_while_its_home_was_away(self) -> None:
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        home.say("answer", sessionId=session_id, data={})
        cluster.settle()
        home.breaks()
        cluster.settle()
        client.breaks()
        home = cluster.home(0)
        cluster.settle(5)
        found = cluster.worlds[0].hub.registry.find("HOME")
        assert found is not None
        assert not found.remote_sessions

    def test_crowded_out_while_its_offer_is_under_way(self) -> None:
        cluster = Cluster(2, latency=(0.02, 0.02), home_sessions=1)
        home = cluster.home(0)
        client = cluster.client(1)
        cluster.session(home, client)
        late = cluster.worlds[0].connect("198.51.100.77")
        late.say("connect-request", remoteId="HOME")
        client.say("offer", data={})
        cluster.settle()
        assert home.types() == ["client-disconnected", "client-connected"]
        late.goodbye()
        cluster.settle()
        another = cluster.client(1, text="198.51.100.78")
        assert another.heard == [], "the place is taken by a session that is no more"

    def test_returned_sessions_are_known_at_once(self) -> None:
        """An owner who wins his Remote ID back can speak first."""
        cluster = Cluster(3)
        home = cluster.home(0)
        client = cluster.client(2)
        session_id = cluster.session(home, client)
        home.say("answer", sessionId=session_id, data=1)
        cluster.clock.advance(3600)
        cluster.home(1, text=STRANGER)
        cluster.clock.advance(5)
        cluster.settle()
        owner = cluster.home(0)
        assert owner.heard[0] == REGISTERED
        owner.say("answer", sessionId=session_id, data=2)
        cluster.settle()
        assert [message["data"] for message in client.heard] == [1, 2]

    def test_silent_node_does_not_give_its_sessions_away(self) -> None:
        """Where nobody decides, a stranger may get the Remote ID, and nothing else."""
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        cluster.session(home, client)
        cluster.server.lose = lambda op, subject: op in ("claim", "wait", "refused", "granted")
        stranger = cluster.home(1, text=STRANGER)
        cluster.settle(5)
        assert stranger.heard == [REGISTERED]
        client.say("offer", data={})
        cluster.settle()
        assert stranger.heard == [REGISTERED]

    def test_repeated_once_a_minute_each(self) -> None:
        """However often it changed hands."""
        cluster = Cluster(2)
        home = cluster.worlds[0].connect("192.0.2.1")
        for number in range(20):
            home.say("register-server", remoteId=f"HOME{number % 2}")
            cluster.settle(1)
        cluster.server.sent.clear()
        cluster.settle(130)
        told = [subject for subject, op in cluster.server.sent if op == "held" and ".home." in subject]
        assert 2 <= len(told) <= 3, told

    def test_seniority_is_told_again(self) -> None:
        """A node that came later knows as well who was there for long; of a shared address nobody does."""
        cluster = Cluster(2)
        cluster.home(0)
        cluster.clock.advance(26 * 3600)
        late = cluster.add("late")
        cluster.clock.advance(2 * 3600)
        home = cluster.worlds[0].hub.registry.find("HOME")
        assert home is not None
        now = cluster.clock.seconds()
        assert late.hub.registry.seniority.is_senior("HOME", home.owner, now)

    def test_claimants_do_not_answer_for_the_holder(self) -> None:
        for seed in range(6):
            cluster = Cluster(3, seed=seed, latency=(0.001, 0.03))
            holder = cluster.home(0)
            cluster.home(1, text=STRANGER)
            assert holder.pings
            assert cluster.is_online(2) is True, seed

    def test_pipelined_guesses(self) -> None:
        """Each counts, although the next one takes its place before it is answered."""
        cluster = Cluster(2)
        guesser = cluster.worlds[1].connect(STRANGER)
        for number in range(12):
            guesser.say("connect-request", remoteId=f"GUESS{number}")
        cluster.settle()
        assert cluster.worlds[1].hub.limits.counts()["blockedIps"] == 1

    def test_no_guesses_while_a_node_is_missed(self) -> None:
        cluster = Cluster(2)
        cluster.settle(3)
        cluster.kill(0)
        cluster.settle(10)
        cluster.client(1, "GUESS")
        assert cluster.worlds[1].hub.limits.counts()["failedLookupTracked"] == 0
        cluster.settle(70)
        cluster.client(1, "GUESS")
        assert cluster.worlds[1].hub.limits.counts()["failedLookupTracked"] == 1


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
        cluster.lines[1].mend()
        cluster.settle(5)
        assert cluster.holders() == [1]

    def test_holders_node_goes_during_a_check(self) -> None:
        """It decides nothing any more, and stands in nobody's way."""
        cluster = Cluster(2)
        cluster.home(0)
        newcomer = cluster.home(1, text=STRANGER)
        assert newcomer.heard == []
        hub = cluster.worlds[0].hub
        while hub.say_goodbye(10):
            pass
        cluster.settle(2)
        assert newcomer.heard == [REGISTERED]

    def test_clients_node_goes(self) -> None:
        """Orderly: the home hears nothing of it, and keeps nothing."""
        cluster = Cluster(2)
        home = cluster.home(0)
        cluster.session(home, cluster.client(1))
        hub = cluster.worlds[1].hub
        while hub.say_goodbye(10):
            pass
        cluster.lines[1].node.stop()
        cluster.settle(2)
        assert home.heard == []
        found = cluster.worlds[0].hub.registry.find("HOME")
        assert found is not None
        assert not found.remote_sessions

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
        assert not cluster.lines[0].node._relay._heard

    def test_bus_goes_during_questions(self) -> None:
        cluster = Cluster(2, latency=(0.4, 0.4))
        cluster.settle(3)
        cluster.home(0)
        lookups = cluster.worlds[1].hub.lookups
        asker = cluster.worlds[1].connect(STRANGER).connection.address
        answers: list[object] = []
        lookups.is_online(asker, "HOME", answers.append)
        cluster.lines[1].cut()
        assert answers == [False]
        lookups.is_online(asker, "HOME", answers.append)
        lookups.story(asker, "0" * 32, answers.append)
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
        cluster.worlds[1].hub.lookups.is_online(asker, "HOME", answers.append)
        cluster.worlds[1].hub.lookups.story(asker, session_id, answers.append)
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
