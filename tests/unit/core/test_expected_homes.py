"""Homes that are away: how many are expected back at once, shared between addresses."""

from __future__ import annotations

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core import expected_homes
from ma_signaling.core.events import Event
from ma_signaling.core.expected_homes import ExpectedHomes
from tests.support.memory_hub import World


class SharesTest(SynchronousTestCase):
    """Whoever has most gives up the newest."""

    def test_the_address_with_most_gives_way(self) -> None:
        homes = ExpectedHomes(4)
        for number in range(3):
            assert homes.add(f"MANY{number}", "198.51.100.1") is None
        assert homes.add("ONE", "192.0.2.1") is None
        assert homes.add("ANOTHER", "192.0.2.2") == "MANY2"
        assert homes.add("MANY3", "198.51.100.1") == "MANY3"
        assert len(homes) == 4
        assert homes.is_expecting("192.0.2.1")

    def test_a_customers_whole_block_is_one_party(self) -> None:
        homes = ExpectedHomes(4)
        for number in range(4):
            homes.add(f"MANY{number}", f"2001:db8:1:{number}::/64")
        assert homes.add("ONE", "192.0.2.1") == "MANY0"
        assert not homes.is_expecting("2001:db8:1:0::/64")
        assert homes.is_expecting("2001:db8:1:1::/64")

    def test_places_are_given_back(self) -> None:
        homes = ExpectedHomes(1)
        homes.add("ONE", "192.0.2.1")
        homes.add("ONE", "192.0.2.2")
        assert not homes.is_expecting("192.0.2.1")
        homes.discard("ONE")
        homes.discard("ONE")
        assert not homes.is_expecting("192.0.2.2")
        assert homes.add("ANOTHER", "192.0.2.1") is None


class GraceTest(SynchronousTestCase):
    """What becomes of a home that is one too many."""

    def test_its_grace_is_over(self) -> None:
        """A call that is up goes on, and so does the grace of others."""
        with mock.patch.object(expected_homes.ExpectedHomes.__init__, "__defaults__", (2,)):
            world = World()
        one = world.home("ONE", "192.0.2.1")
        homes = [world.home(f"MANY{number}", "198.51.100.1") for number in range(2)]
        clients = [world.client("ONE"), world.client("MANY0"), world.client("MANY1")]
        for home, client in zip([one, *homes], clients, strict=True):
            session_id = world.session(home, client)
            if client is not clients[2]:
                home.say("answer", sessionId=session_id, data={})
        for home in (*homes, one):
            home.breaks()
        assert [client.types()[-1:] for client in clients] == [["answer"], ["answer"], ["peer-disconnected"]]
        assert world.reported().count(Event.LIMIT_HIT) == 1
        assert len(world.hub.registry.expected) == 2
        world.advance(44)
        back = world.connect("198.51.100.1")
        back.say("register-server", remoteId="MANY0")
        assert back.types() == ["registered"]
        assert len(world.hub.registry.expected) == 1
