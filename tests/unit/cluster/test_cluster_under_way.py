"""What is under way between nodes when a newcomer gets the Remote ID of a silent home."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.support.cluster_proof_case import ID, SQUATTER
from tests.support.memory_cluster import Cluster


class UnderWayTest(SynchronousTestCase):
    """What is under way to a silent home of another node when a newcomer there gets its Remote ID."""

    def test_the_newcomer_gets_none_of_it(self) -> None:
        """An answered session waits for its proof; one that isn't begins anew."""
        for is_answered in (True, False):
            cluster = Cluster(2, has_proofs=True, latency=(0.02, 0.02))
            home, client = cluster.home(1, ID), cluster.client(0, ID)
            session_id = cluster.session(home, client)
            client.say("offer", data="first")
            cluster.settle()
            if is_answered:
                home.say("answer", sessionId=session_id, data={})
                cluster.settle()
            squatter = cluster.worlds[1].connect(SQUATTER)
            squatter.say("register-server", remoteId=ID)
            while not squatter.heard_of("registered"):
                cluster.clock.advance(0.001)
            candidate = {"type": "ice-candidate", "data": {}}
            client.say("offer", data="again")
            client.say("ice-candidate", data={})
            client.say_together([json.dumps(candidate).encode()] * 2)
            cluster.clock.advance(0.03)
            assert not {"offer", "ice-candidate"} & set(squatter.types())
            cluster.settle()
            forwarded = [each for each in squatter.types() if each in {"offer", "ice-candidate"}]
            again = ["offer", "offer", *["ice-candidate"] * 3]
            assert forwarded == ([] if is_answered else again), forwarded

    def test_the_news_of_it_is_lost(self) -> None:
        """What its client says next has its node ask who holds the Remote ID."""
        cluster = Cluster(2, has_proofs=True)
        home, client = cluster.home(1, ID), cluster.client(0, ID)
        cluster.session(home, client)
        client.say("offer", data="first")
        cluster.settle()
        cluster.server.lose = lambda op, _: op == "registered"
        newcomer = cluster.worlds[1].connect(SQUATTER)
        newcomer.say("register-server", remoteId=ID)
        cluster.settle(21)
        assert "registered" in newcomer.types()
        client.say("ice-candidate", data={})
        cluster.settle()
        cluster.server.lose = lambda *_: False
        cluster.settle(1)
        assert {"offer", "ice-candidate"} <= set(newcomer.types())
        assert home.dropped

    def test_a_further_offer_gives_the_home_time(self) -> None:
        """As one of a client of its own node does, once it is delivered."""
        cluster = Cluster(2)
        home, client = cluster.home(1), cluster.client(0)
        session_id = cluster.session(home, client)
        client.say("offer", data="first")
        cluster.settle()
        home.say("answer", sessionId=session_id, data={})
        client.say("offer", data="again")
        cluster.settle()
        cluster.worlds[1].connect(SQUATTER).say("register-server", remoteId="HOME")
        cluster.settle(19)
        assert home.is_there
        cluster.settle(1.5)
        assert home.dropped
