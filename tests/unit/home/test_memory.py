"""Who may read on, and who has to wait."""

from __future__ import annotations

from collections.abc import Callable
from unittest import TestCase

from ma_signaling.home.memory import Memory, Reader, Share


class Pausable:
    """A reader, and whether it may read."""

    def __init__(self, share: Share) -> None:
        self.may_read = True
        self.reader: Reader = share.reader(self.pause, self.resume)

    def pause(self) -> None:
        self.may_read = False

    def resume(self) -> None:
        self.may_read = True


class MemoryTest(TestCase):
    def setUp(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.memory = Memory(1000, self.soon.append)

    def turn(self) -> None:
        """Let those who read on have read what was there."""
        soon, self.soon[:] = self.soon[:], []
        for call in soon:
            call()

    def come(self, number: int) -> list[Pausable]:
        """Return the readers of so many sessions."""
        return [Pausable(self.memory.share()) for _ in range(number)]

    def test_alone(self) -> None:
        """One takes all that others leave, and its message is read to the end."""
        (one,) = self.come(1)
        for _ in range(20):
            one.reader.take(100)
            self.assertTrue(one.may_read)
        one.reader.release(2000)
        self.assertEqual(self.memory.used, 0)

    def test_who_takes_little_never_waits(self) -> None:
        large, *small = self.come(5)
        large.reader.take(5000)
        for each in small:
            each.reader.take(100)  # a fifth of a half
            self.assertTrue(each.may_read)
        small[0].reader.take(1)
        self.assertFalse(small[0].may_read)
        small[1].reader.take(1)
        large.reader.release(5000)
        self.assertEqual([each.may_read for each in small], [True, False, True, True])
        small[0].reader.take(1)  # there is room: the next may
        self.assertTrue(small[1].may_read)

    def test_all_that_fit_go_on(self) -> None:
        """Also where there is nothing to read for those before them; who has waited longest first."""
        large, *small = self.come(5)
        large.reader.take(5000)
        for each in small:
            each.reader.take(101)
        self.assertEqual([each.may_read for each in small], [False] * 4)
        large.reader.release(5000)
        for resumed in range(1, 5):
            self.assertEqual([each.may_read for each in small], [number < resumed for number in range(4)])
            self.turn()
        self.assertEqual(self.soon, [])

    def test_no_more_go_on_than_fit(self) -> None:
        large, *small = self.come(5)
        large.reader.take(5000)
        for each in small:
            each.reader.take(101)
        large.reader.release(5000)
        small[0].reader.take(300)  # more than its share, and all that there was
        self.turn()
        self.turn()
        self.assertEqual([each.may_read for each in small], [False, True, False, False], "whatever all hold")
        small[0].reader.release(401)
        for _ in range(3):
            self.turn()
        self.assertEqual([each.may_read for each in small], [True] * 4)

    def test_all_large(self) -> None:
        """One after the other ends its message; together they hold little more than the bound."""
        left = dict.fromkeys(self.come(50), 800)
        most = 0
        while left:
            able = [each for each in left if each.may_read]
            self.assertTrue(able, "nobody goes on")
            for each in able:
                if not each.may_read:
                    continue
                part = min(50, left[each])
                left[each] -= part
                each.reader.take(part)
                most = max(most, self.memory.used)
                if not left[each]:
                    del left[each]
                    each.reader.release(800)
        self.assertEqual(self.memory.used, 0)
        self.assertLess(most, 1000 + 50 * 50 + 800)

    def test_who_leaves_lets_others_on(self) -> None:
        first, second, third = self.come(3)
        first.reader.take(2000)
        second.reader.take(300)
        third.reader.take(300)
        self.assertEqual([second.may_read, third.may_read], [False, False])
        first.reader.close()  # who has waited longest is next, whatever all hold
        self.assertEqual([second.may_read, third.may_read], [True, False])
        second.reader.close()
        self.assertTrue(third.may_read)
        second.reader.take(5000)  # such as what comes until a connection is closed
        self.assertEqual((self.memory.used, second.may_read), (300, True))

    def test_a_session_that_has_ended(self) -> None:
        first, second = self.come(2)
        first.reader.take(700)
        self.assertEqual(self.memory.fair, 250)
        first.reader.share.close()
        first.reader.share.close()
        first.reader.take(100)
        first.reader.close()
        self.assertEqual((self.memory.used, self.memory.fair, second.reader.share.held), (0, 500, 0))
