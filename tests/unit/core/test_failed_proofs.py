"""Addresses that gave no proof of a Remote ID wait."""

from __future__ import annotations

from unittest import TestCase

from ma_signaling.core.failed_proofs import FailedProofs


class FailedProofsTest(TestCase):
    """60 s, doubling to 10 minutes, for each address and Remote ID."""

    def setUp(self) -> None:
        self.failures = FailedProofs(3)

    def wait(self, now: float, key: str = "192.0.2.1", remote_id: str = "ID") -> float:
        """How long the address waits from now on, in whole minutes."""
        minutes = 0
        while self.failures.must_wait(key, remote_id, now + 60 * minutes):
            minutes += 1
        return minutes

    def test_doubling(self) -> None:
        assert self.wait(0) == 0
        now, waits = 0.0, []
        for _ in range(6):
            self.failures.add("192.0.2.1", "ID", now)
            waits.append(self.wait(now))
            now += 60 * waits[-1]
        assert waits == [1, 2, 4, 8, 10, 10]

    def test_it_is_forgiven(self) -> None:
        self.failures.add("192.0.2.1", "ID", 0)
        self.failures.add("192.0.2.1", "ID", 60 + 599)
        assert self.wait(60 + 599) == 2
        self.failures.add("192.0.2.1", "ID", 659 + 120 + 600)
        assert self.wait(659 + 120 + 600) == 1

    def test_others_do_not_wait(self) -> None:
        """An owner is never made to wait by what others do."""
        self.failures.add("192.0.2.1", "ID", 0)
        assert self.wait(0, "192.0.2.2") == 0
        assert self.wait(0, remote_id="OTHER") == 0

    def test_bounded(self) -> None:
        for number in range(5):
            self.failures.add(f"192.0.2.{number}", "ID", 0)
        assert len(self.failures) == 3
        assert self.wait(0, "192.0.2.4") == 1
        self.failures.prune(659.9)
        assert len(self.failures) == 3
        self.failures.prune(660)
        assert len(self.failures) == 0

    def test_old_ones_are_forgotten_now_and_then(self) -> None:
        failures = FailedProofs(1000)
        for number in range(150):
            failures.add(f"192.0.2.{number}", "ID", 0)
        for number in range(50):
            failures.add(f"198.51.100.{number}", "ID", 660)
        assert len(failures) == 50
