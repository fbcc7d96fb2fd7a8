"""Takeover, and newcomers that are homes themselves."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_hub import World
from tests.support.takeover_case import OWNER, STRANGER, THIRD

REGISTERED = [{"type": "registered", "remoteId": "HOME"}]


class EntangledTest(SynchronousTestCase):
    """Newcomers that are homes themselves, and ask for each other's Remote IDs."""

    def setUp(self) -> None:
        self.world = World()

    def test_refusing_a_home_frees_what_others_wait_for(self) -> None:
        holder = self.world.home("R1", OWNER)
        first = self.world.home("R2", STRANGER)
        first.say("register-server", remoteId="R1")
        waiting, second = self.world.connect(THIRD), self.world.connect(THIRD)
        waiting.say("register-server", remoteId="R2")
        second.say("register-server", remoteId="R2")
        second.say("register-server", remoteId="R1")
        holder.pong()
        assert holder.is_there
        for refused in (first, second):
            assert refused.closed == (1013, "Remote ID is in use")
        assert waiting.types()[-1] == "registered"
        assert self.world.hub.counts()["servers"] == 2

    def test_nobody_ends_up_with_two(self) -> None:
        """Defect 6."""
        one, other = self.world.home("A", OWNER), self.world.home("B", STRANGER)
        one.say("register-server", remoteId="B")
        other.say("register-server", remoteId="A")
        other.say("register-server", remoteId="C")
        self.world.advance(5)
        for peer in (one, other):
            if peer.is_there:
                peer.goodbye()
        self.world.advance(45)
        assert self.world.hub.counts()["servers"] == 0
        assert not self.world.hub.registry._homes

    def test_chain_longer_than_the_stack_is_deep(self) -> None:
        world = World(connections_per_minute=0)
        homes = [
            world.home(f"R{number}", f"10.0.{number // 200}.{number % 200 + 1}") for number in range(400)
        ]
        for number in range(1, 400):
            homes[number].say("register-server", remoteId=f"R{number - 1}")
        homes[0].goodbye()
        assert world.hub.counts()["servers"] == 399
        assert not world.hub.registry.contests.by_remote_id
        assert all(home.heard[-1]["type"] == "registered" for home in homes[1:])
