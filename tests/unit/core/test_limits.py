"""Budgets and guards, each alone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.core.guessing import Guessing, GuessingGuard
from ma_signaling.core.lru_table import LruTable
from ma_signaling.core.sliding_window import SlidingWindow
from ma_signaling.core.token_bucket import Allowance, Budget


class BudgetTest(SynchronousTestCase):
    """A token bucket of messages, and one of bytes."""

    def test_burst_then_rate(self) -> None:
        budget = Budget(Allowance(rate=20, burst=200), 0)
        assert all(budget.spend(0, 10) for _ in range(200))
        assert not budget.spend(0, 10)
        assert sum(budget.spend(1, 10) for _ in range(30)) == 20

    def test_bytes(self) -> None:
        budget = Budget(Allowance(rate=20, burst=200, byte_rate=100, byte_burst=1000), 0)
        assert budget.spend(0, 1000)
        assert not budget.spend(0, 1)
        assert budget.spend(1, 100)
        assert not budget.spend(1, 1)

    def test_never_more_than_full(self) -> None:
        budget = Budget(Allowance(rate=5, burst=3), 0)
        assert sum(budget.spend(1000, 1) for _ in range(10)) == 3
        budget = Budget(Allowance(rate=0, burst=0, byte_rate=5, byte_burst=30), 0)
        assert sum(budget.spend(1000, 10) for _ in range(10)) == 3

    def test_wait(self) -> None:
        budget = Budget(Allowance(rate=0.5, burst=1), 0)
        assert budget.spend(0, 1)
        assert not budget.spend(0, 1)
        assert budget.wait() == 2
        assert not budget.spend(1, 1)
        assert budget.wait() == 1
        # It is the bytes that are over: nobody knows of how many the next message will be.
        budget = Budget(Allowance(rate=0.25, burst=10, byte_rate=1, byte_burst=1), 0)
        assert not budget.spend(0, 2)
        assert budget.wait() == 1

    def test_zero_is_no_limit(self) -> None:
        for allowance in (Allowance(rate=0, burst=5), Allowance(rate=5, burst=0)):
            budget = Budget(allowance, 0)
            assert all(budget.spend(0, 10**9) for _ in range(10_000))

    def test_refund(self) -> None:
        budget = Budget(Allowance(rate=1, burst=4, byte_rate=1, byte_burst=10), 0)
        assert budget.spend(0, 10, 4)
        budget.refund(7, 3)
        assert not budget.spend(0, 8, 1)
        assert not budget.spend(0, 1, 4)
        assert budget.spend(0, 7, 3)
        assert not budget.spend(0, 1)

    def test_drops_of_a_minute(self) -> None:
        """A sliding window of what was dropped, not of what could not be charged: that may come singly yet."""
        budget = Budget(Allowance(rate=1, burst=1), 0)
        assert not budget.spend(0, 1, 2)
        assert not budget.has_dropped(0, 1)
        for now in (0.1, 30.1, 30.2):
            budget.dropped(now)
        assert budget.has_dropped(59.9, 3)
        assert not budget.has_dropped(59.9, 4)
        assert not budget.has_dropped(60.1, 3)
        assert budget.has_dropped(60.1, 2)

    def test_bytes_alone(self) -> None:
        budget = Budget(Allowance(rate=1, burst=1, byte_rate=10, byte_burst=20), 0)
        assert budget.spend(0, 15, 0)
        assert not budget.spend(0, 15, 0)
        assert budget.spend(0, 5)
        assert budget.spend(1, 10, 0)

    def test_told_once_a_second(self) -> None:
        budget = Budget(Allowance(rate=1, burst=1), 5)
        assert [budget.may_tell(now) for now in (5, 5.9, 6, 6.5, 7)] == [True, False, True, False, True]

    def test_a_clock_that_goes_back(self) -> None:
        budget = Budget(Allowance(rate=1, burst=1), 1000)
        assert budget.spend(10, 1)
        assert not budget.spend(10, 1)
        assert budget.spend(11, 1)


class SlidingWindowTest(SynchronousTestCase):
    """Never more than N within any minute."""

    def test_no_double_at_an_edge(self) -> None:
        """Defect 9."""
        window = SlidingWindow()
        taken = []
        for tick in range(1300):
            now = tick / 10
            if window.wait(now, 10) == 0:
                window.add(now)
                taken.append(now)
        for start in taken:
            assert sum(start <= at < start + 60 for at in taken) <= 10
        assert len(taken) == 30

    def test_wait(self) -> None:
        window = SlidingWindow()
        for now in (0, 1, 2):
            window.add(now)
        assert window.wait(10, 3) == 50
        assert window.wait(60, 3) == 0
        assert window.wait(10, 0) == 0

    def test_what_is_refused_does_not_count(self) -> None:
        """Who tries again all the time gets in once a place is free."""
        window = SlidingWindow()
        for now in (0, 1, 2):
            assert window.admit(now, 3) == 0
        for tick in range(30, 600):
            assert window.admit(tick / 10, 3) > 0
        assert window.admit(60, 3) == 0
        assert window.admit(60, 3) == 1


class GuessingGuardTest(SynchronousTestCase):
    """Distinct unknown Remote IDs, and blocks that double."""

    def block(self, guard: GuessingGuard, now: float) -> float:
        """Guess until blocked, and return for how long."""
        assert [guard.guess(now, f"ID{n}", 10) for n in range(10)] == [False] * 9 + [True]
        return guard.blocked_until - now

    def test_the_same_one_again_is_no_guess(self) -> None:
        guard = GuessingGuard()
        assert not any(guard.guess(now, "SAME", 10) for now in range(1000))

    def test_ten_within_a_minute(self) -> None:
        guard = GuessingGuard()
        assert not any(guard.guess(n * 7, f"ID{n}", 10) for n in range(100))

    def test_blocks_double_up_to_an_hour(self) -> None:
        guard, now, lengths = GuessingGuard(), 1000.0, []
        for _ in range(9):
            lengths.append(self.block(guard, now))
            now = guard.blocked_until
        assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]

    def test_forgiven_over_time(self) -> None:
        guard = GuessingGuard()
        self.block(guard, 1000)
        assert self.block(guard, 1060) == 120
        assert self.block(guard, 1180 + 1200) == 60

    def test_a_repeated_guess_is_as_new(self) -> None:
        guard = GuessingGuard()
        for now, remote_id in ((0, "A"), (10, "B"), (50, "A")):
            assert not guard.guess(now, remote_id, 3)
        assert not guard.guess(75, "C", 3), "B is forgotten, A is not"
        assert guard.guess(76, "D", 3)

    def test_each_ten_minutes_forgive_one_block(self) -> None:
        guard = GuessingGuard()
        lengths = []
        for pause in (0, 599, 600, 1800):
            now = guard.blocked_until + pause
            assert guard.guess(now, "A", 1)
            lengths.append(guard.blocked_until - now)
        assert lengths == [60, 120, 120, 60]

    def test_forgotten_when_it_no_longer_matters(self) -> None:
        """Defect 8."""
        guard = GuessingGuard()
        guard.guess(0, "A", 10)
        assert not guard.is_idle(59)
        assert guard.is_idle(60)
        self.block(guard, 100)
        assert not guard.is_idle(160)
        assert guard.is_idle(160 + 600)


class GuessingTest(SynchronousTestCase):
    """The blocks of all addresses, of which a bounded number is remembered."""

    def setUp(self) -> None:
        self.guessing = Guessing(Settings(remembered_addresses=2))

    def blocked_for(self) -> list[float]:
        return [self.guessing.blocked_for(key, 0) for key in ("A", "B", "C")]

    def test_a_known_address_evicts_nobody_at_capacity(self) -> None:
        self.guessing.block("A", 100)
        self.guessing.block("B", 100)
        self.guessing.block("B", 200)
        assert self.blocked_for() == [100, 200, 0]

    def test_a_known_address_keeps_the_longer_block_at_capacity(self) -> None:
        self.guessing.block("A", 300)
        self.guessing.block("B", 100)
        self.guessing.block("A", 200)
        assert self.blocked_for() == [300, 100, 0]

    def test_a_new_address_evicts_the_oldest_at_capacity(self) -> None:
        for key in ("A", "B", "C"):
            self.guessing.block(key, 100)
        assert self.blocked_for() == [0, 100, 100]


class LruTableTest(SynchronousTestCase):
    """An entry for each key, and no more than so many."""

    def test_the_least_recently_used_goes(self) -> None:
        windows = LruTable(SlidingWindow, 2)
        first, second = windows["A"], windows["B"]
        assert windows["A"] is first
        windows["C"].add(0)
        assert len(windows) == 2
        assert windows["A"] is first
        assert windows["B"] is not second

    def test_some_go_at_once(self) -> None:
        windows = LruTable(SlidingWindow, 1000)
        for number in range(1001):
            windows[f"{number}"].add(0)
        assert len(windows) == 990
        assert windows.get("10") is None
        assert windows.get("11") is not None
