"""Fair shares: nobody loses what is within theirs, nobody is refused while shares of one fit, nothing is remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.shared_window import SharedWindow
from ma_signaling.core.shares import Path, Place, Shares

PATHS: list[Path] = [("a",), ("b",), ("c",), ("p", "p1"), ("p", "p2"), ("q", "q1"), ("q", "q2"), ("q", "q3")]
paths = st.sampled_from(PATHS)


class Pool:
    """A ``Shares`` of named items, used as a server uses it."""

    def __init__(self, capacity: int) -> None:
        self.shares: Shares[int] = Shares(capacity)
        self.places: dict[int, tuple[Path, Place[int]]] = {}
        self._count = 0

    def ask(self, path: Path, size: int = 1, rank: int = 0) -> tuple[bool, int | None]:
        """Return whether one more of ``path`` gets a place, and who made way for it."""
        loser = None
        if not self.shares.has_room(size):
            loser = self.shares.make_way(path, size)
            if loser is None:
                return False, None
        self._count += 1
        self.places[self._count] = path, self.shares.take(path, self._count, size, rank)
        return True, loser

    def of(self, *block: Hashable) -> int:
        """Return how many places a block has, counted anew."""
        return sum(place.size for path, place in self.places.values() if path[: len(block)] == block)

    def leave(self, item: int) -> None:
        self.places.pop(item)[1].release()


class SharesTest(SynchronousTestCase):
    """What can be taken back."""

    @given(st.integers(1, 12), st.lists(st.tuples(paths, st.booleans(), st.integers(0, 99)), max_size=80))
    def test_fair(self, capacity: int, moves: list[tuple[Path, bool, int]]) -> None:
        pool = Pool(capacity)
        for path, leaves, which in moves:
            if leaves and pool.places:
                pool.leave(sorted(pool.places)[which % len(pool.places)])
                continue
            before = {block: pool.of(*block) for each in PATHS for block in (each[:1], each)}
            asking = {each[:1] for each, _ in pool.places.values()} | {path[:1]}
            share = capacity // len(asking)
            granted, loser = pool.ask(path)
            if loser is not None:
                lost, _ = pool.places.pop(loser)
                if lost[:1] != path[:1]:
                    self.assertGreater(before[lost[:1]], max(share, before[path[:1]] + 1))
                else:
                    self.assertGreater(before[lost], before[path] + 1)
            if before[path[:1]] + 1 <= share:
                self.assertTrue(granted)
            self.assertLessEqual(pool.shares.used, capacity)
            for block in before:
                self.assertEqual(pool.shares.taken(*block), pool.of(*block))

    @given(st.lists(st.tuples(paths, st.integers(1, 50)), max_size=60))
    def test_sizes(self, asked: list[tuple[Path, int]]) -> None:
        pool = Pool(100)
        for path, size in asked:
            while not pool.shares.has_room(size):
                before = {each: pool.of(each[0]) for each in PATHS}
                loser = pool.shares.make_way(path, size)
                if loser is None:
                    self.assertLessEqual(max(before.values()), before[path] + size)
                    break
                lost, place = pool.places.pop(loser)
                self.assertGreaterEqual(before[lost], max(before.values()) if lost[0] != path[0] else 0)
                self.assertEqual(pool.shares.used, sum(p.size for _, p in pool.places.values()))
                place.release()
            else:
                pool.ask(path, size)

    def test_a_crowd_makes_way_for_each_of_the_others(self) -> None:
        pool = Pool(100)
        self.assertEqual([pool.ask(("crowd",))[0] for _ in range(101)], [True] * 100 + [False])
        for number in range(50):
            granted, loser = pool.ask((f"home {number}",))
            self.assertTrue(granted)
            assert loser is not None
            pool.places.pop(loser)
        self.assertEqual(pool.of("crowd"), 50)

    def test_a_block_is_no_crowd(self) -> None:
        pool = Pool(10)
        for number in range(9):
            pool.ask(("2001:db8::/48", f"/64 number {number}"))
        pool.ask(("192.0.2.1",))
        self.assertEqual(pool.ask(("192.0.2.1",))[0], True)

    def test_within_a_block_the_largest_makes_way(self) -> None:
        pool = Pool(4)
        for _ in range(4):
            pool.ask(("block", "flood"))
        granted, loser = pool.ask(("block", "other"))
        self.assertEqual((granted, loser), (True, 4))

    def test_rank_then_tenure(self) -> None:
        pool = Pool(4)
        for rank in (0, 1, 0, 2):
            pool.ask(("a",), rank=rank)
        losers = [pool.ask((other,))[1] for other in "bc"]
        self.assertEqual(losers, [3, 1])

    def test_promotion(self) -> None:
        pool = Pool(3)
        for _ in range(3):
            pool.ask(("a",))
        pool.places[3][1].promote(1)
        self.assertEqual(pool.ask(("b",))[1], 2)

    def test_resized(self) -> None:
        shares: Shares[str] = Shares(100)
        slow = shares.take(("a", 1), "slow", 60)
        shares.take(("a", 2), "quick", 30)
        slow.resize(10)
        shares.take(("b", 3), "other", 50)
        self.assertEqual(shares.make_way(("c", 4), 20), "other")
        self.assertEqual(shares.used, 40)

    def test_what_is_grown_again_is_found(self) -> None:
        shares: Shares[str] = Shares(10)
        place = shares.take(("a",), "it", 5)
        place.resize(0)
        shares.take(("b",), "other", 4)
        self.assertEqual(shares.make_way(("c",), 1), "other")
        place.resize(3)
        self.assertEqual(shares.make_way(("c",), 1), "it")

    def test_released_twice(self) -> None:
        shares: Shares[str] = Shares(10)
        place = shares.take(("a",), "it", 5)
        place.release()
        place.release()
        place.resize(3)
        place.promote(1)
        self.assertEqual(shares.used, 0)

    def test_nothing_is_remembered(self) -> None:
        pool = Pool(50)
        root = pool.shares._root
        pool.ask(("stays",))
        for number in range(2, 5000):
            pool.ask((f"block {number}", "within"))
            pool.shares.giver_for(("other",))
            pool.leave(number)
        assert root.blocks is not None
        assert root.sorted is not None
        self.assertEqual(list(root.blocks), ["stays"])
        self.assertLess(len(root.sorted._heap), 20)
        self.assertEqual(root.sorted._grown, {})

    def test_nothing_is_sorted_while_there_is_room(self) -> None:
        """What is kept to sort by would be more memory for each idle home."""
        pool = Pool(2000)
        root = pool.shares._root
        pool.ask(("first",))
        self.assertIsNone(root.sorted)
        pool.shares.giver_for(("other",))
        self.assertIsNotNone(root.sorted)
        for number in range(999):
            pool.ask((f"block {number}",))
        self.assertIsNone(root.sorted)
        for number in range(500, 1500):
            pool.ask((f"block {number}",))
        self.assertEqual(pool.ask(("other",)), (True, 1001))


class SharedWindowTest(SynchronousTestCase):
    """What can't be taken back."""

    @given(st.integers(1, 8), st.lists(st.tuples(paths, st.integers(0, 30)), max_size=80))
    def test_fair(self, capacity: int, asked: list[tuple[Path, int]]) -> None:
        window, now = SharedWindow(60), 0.0
        admitted: list[tuple[float, Path]] = []
        for path, later in asked:
            now += later
            admitted = [(at, each) for at, each in admitted if now - at < 60]
            counts = Counter(each[0] for _, each in admitted)
            wait = window.admit(path, now, capacity, 1000)
            if wait == 0:
                admitted.append((now, path))
            else:
                self.assertGreaterEqual(len(admitted), capacity)
                self.assertGreater(counts[path[0]], 0)
                self.assertLessEqual(wait, 60)
            if counts[path[0]] == 0:
                self.assertEqual(wait, 0)
            self.assertEqual(len(window), len(admitted))

    def test_ceiling(self) -> None:
        window = SharedWindow(60)
        waits = [window.admit((f"address {number}",), 1.0, 3, 6) for number in range(8)]
        self.assertEqual(waits, [0] * 6 + [60] * 2)

    def test_an_early_bird_leaves_their_shares_to_the_others(self) -> None:
        window = SharedWindow(60)
        for _ in range(120):
            self.assertEqual(window.admit(("early",), 0, 120, 240), 0)
        self.assertGreater(window.admit(("early",), 1, 120, 240), 0)
        self.assertEqual([window.admit(("late",), 1, 120, 240) for _ in range(61)], [0] * 60 + [59])

    def test_no_limit(self) -> None:
        window = SharedWindow(60)
        self.assertEqual({window.admit(("a",), 0, 0, 0) for _ in range(100)}, {0})

    def test_everything_is_forgotten(self) -> None:
        window = SharedWindow(60)
        for number in range(1000):
            window.admit((f"block {number}", "within"), number / 1000, 10, 2000)
        window.forget(100)
        self.assertEqual((len(window), len(window._root.blocks)), (0, 0))
