"""Several nodes, and what comes seldom, or seldom in that order."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import start_grace
from ma_signaling.core.errors import BLOCKED, rate_limited
from ma_signaling.core.peer import ClientAddress
from tests.support.memory_cluster import Cluster

STRANGER = "203.0.113.9"
REGISTERED = {"type": "registered", "remoteId": "HOME"}


class OrderTest(SynchronousTestCase):
    """What goes wrong if things happen in an order that they seldom happen in."""

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
        assert not cluster.worlds[0].hub.sessions.remote.of(found)

    def test_crowded_out_while_its_offer_is_under_way(self) -> None:
        cluster = Cluster(2, latency=(0.02, 0.02), home_sessions=2)
        home = cluster.home(0)
        cluster.session(home, cluster.client(1))
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

    def test_answer_that_crosses_the_news_that_its_session_begins_anew(self) -> None:
        """The home ends the call that it has answered, so only the answer to the repeated offer counts."""
        cluster = Cluster(2, latency=(0.01, 0.01))
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        client.say("offer", data={})
        cluster.settle()
        cluster.lines[0].cut()
        cluster.settle(8)
        assert "client-disconnected" not in home.types()
        cluster.lines[0].mend()
        home.forget()
        candidates = [
            json.dumps({"type": "ice-candidate", "sessionId": session_id, "data": {"at": at}}).encode()
            for at in range(2)
        ]
        home.say("answer", sessionId=session_id, data={"call": "ended"})
        home.say_together(candidates)
        cluster.settle()
        assert home.types() == ["client-disconnected", "client-connected", "offer"]
        assert client.heard == []
        home.say("answer", sessionId=session_id, data={"call": "new"})
        home.say_together(candidates)
        cluster.settle()
        assert client.types() == ["answer", "ice-candidate", "ice-candidate"]
        assert client.heard[0]["data"] == {"call": "new"}

    def test_silent_node_does_not_give_its_sessions_away(self) -> None:
        """Where nobody decides, a stranger may get the Remote ID, and nothing else."""
        cluster = Cluster(2)
        home = cluster.home(0)
        client = cluster.client(1)
        session_id = cluster.session(home, client)
        home.say("answer", sessionId=session_id, data={})
        cluster.settle()
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
        told = [subject for subject, op in cluster.server.sent if op == "registered" and ".home." in subject]
        assert 2 <= len(told) <= 3, told

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

    def test_guesses_at_once(self) -> None:
        """Of however many are asked for before the first answer, as many are answered as one after the other."""
        cluster = Cluster(2, latency=(0.001, 0.001))
        holder = cluster.home(0)
        guessers = [cluster.worlds[1].connect(STRANGER) for _ in range(22)]
        for number, guesser in enumerate(guessers):
            guesser.say("connect-request", remoteId=f"GUESS{number}" if number < 21 else "HOME")
        cluster.settle()
        codes = [code for guesser in guessers for code in guesser.codes()]
        assert codes == ["server-not-found"] * 9 + ["blocked"] + ["rate-limited"] * 12
        assert guessers[-1].heard[0]["retryAfter"] == 60
        assert "client-connected" not in holder.types()
        neighbour = cluster.client(1)
        assert holder.types()[-1] == "client-connected"
        assert not neighbour.codes()

    def test_checks_at_once(self) -> None:
        cluster = Cluster(2, latency=(0.001, 0.001))
        cluster.home(0)
        address, told = ClientAddress(STRANGER, STRANGER), list[object]()
        lookups = cluster.worlds[1].hub.lookups
        for number in range(21):
            lookups.ask_online(address, f"GUESS{number}", told.append)
        lookups.ask_online(address, "HOME", told.append)
        cluster.settle()
        assert told == [False] * 9 + [BLOCKED] + [rate_limited(60)] * 12

    def test_guesses_before_a_home_that_is_away(self) -> None:
        cluster = Cluster(2, latency=(0.001, 0.001))
        cluster.home(0).breaks()
        cluster.settle()
        guessers = [cluster.worlds[1].connect(STRANGER) for _ in range(11)]
        for number, guesser in enumerate(guessers):
            guesser.say("connect-request", remoteId=f"GUESS{number}" if number < 10 else "HOME")
        cluster.settle()
        assert guessers[-1].codes() == ["rate-limited"]

    def test_an_invented_home_that_is_asked_for_on_and_on(self) -> None:
        """When the time after a start is over, it is unknown on all nodes, and asking is a guess."""
        cluster = Cluster(2, start_grace=75)
        for number in range(8):
            cluster.client(number % 2, "INVENTED")
            cluster.settle(9.5)
        for node in range(2):
            assert cluster.client(node, "INVENTED").codes() == ["server-not-found"]
            assert cluster.worlds[node].hub.limits.counts()["failedLookupTracked"] == 1
        cluster.settle(25)
        assert [world.hub.registry.find("INVENTED") for world in cluster.worlds] == [None, None]

    def test_those_who_wait_after_a_start_are_bounded(self) -> None:
        """Also where they ask for one home while the other nodes are asked."""
        self.patch(start_grace, "MAX_WAITING", 3)
        cluster = Cluster(2, start_grace=75)
        clients = [cluster.worlds[1].connect(STRANGER) for _ in range(4)]
        for client in clients:
            client.say("connect-request", remoteId="INVENTED")
        cluster.settle()
        assert [client.codes() for client in clients] == [[], [], [], ["server-not-found"]]

    def test_a_ban_while_other_nodes_are_asked(self) -> None:
        cluster = Cluster(2)
        cluster.settle()
        world = cluster.worlds[1]
        client = world.connect(STRANGER)
        client.say("connect-request", remoteId="HOME")
        assert client.heard == []
        world.hub.bans.add("HOME", None)
        list(world.hub.enforce_access())
        assert client.codes() == ["server-not-found"]
        cluster.settle(25)
        assert len(client.heard) == 1
        assert world.hub.registry.find("HOME") is None

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
