"""Several nodes, and failures inside one of them: the rest of it goes on."""

from __future__ import annotations

import contextlib

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_cluster import Cluster


class Broken(Exception):
    """Raised where something fails in a test."""


def fail(*_: object) -> None:
    raise Broken


class ArmourTest(SynchronousTestCase):
    """Nothing that one call raises keeps another from being made."""

    def test_one_job_of_a_node_fails(self) -> None:
        """The others are done all the same, and again and again."""
        cluster = Cluster(2)
        home = cluster.home(1)
        client = cluster.client(0)
        cluster.session(home, client)
        self.patch(cluster.lines[0].node._members, "send_beat", fail)
        cluster.kill(1)
        for _ in range(40):
            with contextlib.suppress(Broken):
                cluster.settle(2)
        assert client.types() == ["peer-disconnected"]

    def test_one_home_of_a_lost_node_fails(self) -> None:
        """The others are away all the same."""
        cluster = Cluster(2)
        clients = []
        for name in ("FIRST", "SECOND"):
            home = cluster.home(1, name)
            client = cluster.client(0, name)
            cluster.session(home, client)
            clients.append(client)
        registry = cluster.worlds[0].hub.registry
        first = registry.find("FIRST")
        end = cluster.worlds[0].hub.end

        def end_or_fail(connection: object, how: object) -> None:
            if first is not None and connection is first.connection:
                raise Broken
            end(connection, how)  # type: ignore[arg-type]

        self.patch(cluster.worlds[0].hub, "end", end_or_fail)
        with contextlib.suppress(Broken):
            cluster.lines[0].cut()
        second = registry.find("SECOND")
        assert second is not None
        assert second.connection is None

    def test_sessions_that_are_turned_away_cost_no_timers(self) -> None:
        cluster = Cluster(2, home_sessions=2, home_sessions_per_minute=0)
        cluster.home(0)
        for number in range(2):
            cluster.client(1, text=f"203.0.113.{number}")
        before = len(cluster.clock.timers)
        asker = cluster.worlds[1].connect("203.0.113.0")
        for _ in range(20):
            asker.say("connect-request", remoteId="HOME")
            cluster.settle()
        assert "home-busy" in asker.codes()
        assert len(cluster.clock.timers) <= before + 2, cluster.clock.timers
