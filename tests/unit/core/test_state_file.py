"""Seniority over a restart."""

from __future__ import annotations

import orjson
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.seniority import MEMORY, Seniority
from tests.support.memory_hub import World, address

OWNER, STRANGER = "192.0.2.1", "203.0.113.1"


def snapshot_of_an_owner(age: float = 3600) -> bytes:
    """A server on which the owner has held HOME for so long; saved at 1,000,000 by the calendar."""
    world = World()
    world.home(text=OWNER)
    world.advance(age)
    return world.hub.snapshot(1_000_000)


def owner_finds_a_squatter(state: bytes, wall: float) -> bool:
    """Whether, on a new server with this state, the owner wins against a squatter."""
    world = World()
    world.hub.restore(state, wall)
    squatter = world.home(text=STRANGER)
    owner = world.connect(OWNER)
    owner.say("register-server", remoteId="HOME")
    return squatter.closed is not None


class SnapshotTest(SynchronousTestCase):
    """What is remembered, and for how long."""

    def test_present_holders_are_remembered(self) -> None:
        assert owner_finds_a_squatter(snapshot_of_an_owner(), 1_000_060)

    def test_an_hour_makes_a_senior(self) -> None:
        assert not owner_finds_a_squatter(snapshot_of_an_owner(3599), 1_000_060)

    def test_a_day_later_nobody_is(self) -> None:
        assert owner_finds_a_squatter(snapshot_of_an_owner(), 1_000_000 + 86_300)
        assert not owner_finds_a_squatter(snapshot_of_an_owner(), 1_000_000 + 86_500)

    def test_they_grow_old_while_nobody_serves(self) -> None:
        """As they did before, and as they do after."""
        first, second = Seniority(10), Seniority(10)
        first.learn("HOME", OWNER, 0)
        second.restore(first.snapshot(1000, 5000), 70, 5000 + 85_000)
        assert second.is_senior("HOME", address(OWNER), 70 + 399)
        assert not second.is_senior("HOME", address(OWNER), 70 + 400)

    def test_so_many_are_remembered_and_for_so_long(self) -> None:
        seniority = Seniority(2)
        for number in range(3):
            seniority.learn(f"HOME{number}", OWNER, number)
        assert [seniority.is_senior(f"HOME{n}", address(OWNER), 3) for n in range(3)] == [False, True, True]
        seniority.learn("HOME2", OWNER, MEMORY + 1)
        assert len(orjson.loads(seniority.snapshot(MEMORY + 1, 0))["seniors"]) == 1

    def test_a_smaller_memory_keeps_the_latest(self) -> None:
        """The setting may have changed before the start."""
        before, after = Seniority(3), Seniority(2)
        for number in range(3):
            before.learn(f"HOME{number}", OWNER, number)
        after.restore(before.snapshot(3, 0), 3, 0)
        assert [after.is_senior(f"HOME{n}", address(OWNER), 3) for n in range(3)] == [False, True, True]

    def test_a_calendar_that_went_back(self) -> None:
        assert owner_finds_a_squatter(snapshot_of_an_owner(), 5)

    def test_it_tells_no_secrets(self) -> None:
        state = snapshot_of_an_owner()
        for secret in (b"HOME", OWNER.encode()):
            assert secret not in state

    def test_anything_else_changes_nothing(self) -> None:
        world = World()
        before = world.hub.registry.seniority._key
        for state in (
            b"",
            b"null",
            b"{}",
            b'{"version":2}',
            b'{"version":2,"saved_at":0,"key":"00","seniors":[]}',
            b'{"version":1,"saved_at":"x","key":"00","seniors":[]}',
            b'{"version":1,"saved_at":0,"key":"zz","seniors":[]}',
            b'{"version":1,"saved_at":0,"key":"%b","seniors":[]}' % (b"00" * 65),
            b'{"version":1,"saved_at":0,"key":"00","seniors":[[1,2,3]]}',
            b'{"version":1,"saved_at":0,"key":"00","seniors":[["00"]]}',
        ):
            with self.assertRaises(ValueError):
                world.hub.restore(state, 0)
        assert world.hub.registry.seniority._key == before
