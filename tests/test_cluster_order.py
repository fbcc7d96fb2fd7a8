"""Several nodes, and what seldom happens, or seldom in that order."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.wire import pack
from tests.cluster import Cluster

STRANGER = "203.0.113.9"
REGISTERED = {"type": "registered", "remoteId": "HOME"}


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


class SilenceTest(SynchronousTestCase):
    """What is lost, or comes from where it should not, and what others then hear of it."""

    def test_what_another_node_says_of_a_home(self) -> None:
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        body = json.dumps({"type": "answer", "sessionId": session_id, "data": {}}).encode()
        cluster.lines[1].node.received(pack("said", {"r": "HOME", "node": "another"}, body))
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
        client.say("ice-candidate", data={})
        cluster.settle()
        cluster.kill(1)
        cluster.settle(10)
        assert moved.types() == ["registered", "ice-candidate"]

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
        node._lose_node("n1", False)
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
        while hub.say_goodbye(10):
            pass
        cluster.lines[1].node.stop()
        cluster.settle(2)
        found = cluster.worlds[0].hub.registry.find("HOME")
        assert found is not None
        assert not found.remote_sessions
        assert home.heard == []

    def test_sessions_of_the_worse_holder(self) -> None:
        """They were opened with a stranger, and are none of the owner's business."""
        cluster = Cluster(2)
        owner = cluster.home(0)
        cluster.lines[0].cut()
        stranger = cluster.home(1, text=STRANGER)
        client = cluster.client(1)
        cluster.session(stranger, client)
        cluster.lines[0].mend()
        cluster.settle(3)
        assert cluster.holders() == [0]
        client.say("offer", data="for the stranger")
        cluster.settle()
        assert owner.types() == ["registered"]

    def test_one_that_changes_hands_does_not_hold_up_others(self) -> None:
        cluster = Cluster(2)
        cluster.home(0)
        cluster.home(0, "OTHER", STRANGER)
        cluster.server.sent.clear()
        for _ in range(4):
            cluster.settle(40)
            cluster.home(0)
        assert any(subject.endswith(".home.OTHER") for subject, op in cluster.server.sent if op == "held")
