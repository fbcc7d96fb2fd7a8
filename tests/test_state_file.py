"""Seniority over a restart."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

import orjson
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.seniority import MEMORY, Seniority
from ma_signaling.runtime.state_file import write_atomically
from tests.heart import World, address
from tests.server_process import ServerProcess

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


class FileTest(SynchronousTestCase):
    """The file itself, with the real server."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name) / "state"

    def log_of_a_run(self) -> str:
        with ServerProcess("--state-file", str(self.path)) as server:
            server.stop()
            return server.log()

    def test_written_at_the_end_for_its_owner_only(self) -> None:
        assert "nobody is remembered" in self.log_of_a_run()
        assert list(self.path.parent.iterdir()) == [self.path]
        assert stat.S_IMODE(self.path.stat().st_mode) == 0o600
        assert "nobody is remembered" not in self.log_of_a_run()

    def test_broken_file(self) -> None:
        self.path.write_bytes(b"broken")
        log = self.log_of_a_run()
        assert "cannot be used, nobody is remembered" in log
        assert "nobody is remembered" not in self.log_of_a_run()

    def test_directory_that_is_not_there(self) -> None:
        self.path = self.path / "missing" / "state"
        log = self.log_of_a_run()
        assert "cannot be written" in log

    def test_left_over_from_a_crash(self) -> None:
        self.path.with_name("state.new").write_bytes(b"half")
        write_atomically(self.path, b"whole")
        assert self.path.read_bytes() == b"whole"
        assert list(self.path.parent.iterdir()) == [self.path]
