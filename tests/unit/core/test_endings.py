"""How connections end, whatever fails meanwhile."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.ending import CUT, FAULT, GOODBYE, RESTART
from ma_signaling.core.other_nodes import Elsewhere, NoAnnouncements, NoRelay
from tests.support.memory_hub import World


class Fault(Exception):
    """What a test raises."""


class FaultyRelay(NoRelay):
    """Fails when a session ends."""

    def ended(self, session: object) -> None:
        raise Fault


class FaultyAnnouncements(NoAnnouncements):
    """Fails when a home's connection ends."""

    def vacated(self, home: object, holder: object, *, goodbye: bool) -> None:
        raise Fault


class EndingTest(SynchronousTestCase):
    """A connection ends once, and wholly."""

    def test_once(self) -> None:
        world = World()
        home = world.home()
        for how in (CUT, RESTART, GOODBYE, FAULT, CUT):
            world.hub.end(home.connection, how)
        assert home.dropped
        assert home.closed is None
        assert world.hub.registry.find("HOME") is not None, "it may come back: the first end counts"

    def test_a_client_that_waits_is_told(self) -> None:
        world = World()
        world.home()
        client = world.client()
        world.hub.end(client.connection, FAULT)
        assert client.codes() == ["server-disconnected"]
        assert client.closed == (1011, "Internal error")

    def test_nobody_else_is_told(self) -> None:
        world = World()
        home = world.home()
        client = world.client()
        world.session(home, client)
        for peer in (home, client):
            world.hub.end(peer.connection, FAULT)
            assert peer.closed == (1011, "Internal error")
        assert client.heard == []

    def test_a_fault_leaves_no_client_behind(self) -> None:
        world = World(elsewhere=Elsewhere(relay=FaultyRelay()))
        home = world.home()
        client = world.client()
        session_id = world.session(home, client)
        home.say("answer", sessionId=session_id)
        with self.assertRaises(Fault):
            world.hub.end(client.connection, CUT)
        assert client.dropped
        assert world.hub.own_counts() == {"servers": 1, "clients": 0, "pendingClients": 0}
        assert world.hub.connections_by_role() == {"home": 1, "client": 0, "none": 0}

    def test_a_fault_leaves_no_home_behind(self) -> None:
        world = World(elsewhere=Elsewhere(announcements=FaultyAnnouncements()))
        home = world.home()
        client = world.client()
        with self.assertRaises(Fault):
            world.hub.end(home.connection, CUT)
        assert home.dropped
        world.advance(world.settings.grace)
        assert client.codes() == ["server-not-found"]
        assert world.hub.registry.find("HOME") is None
