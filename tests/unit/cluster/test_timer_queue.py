"""Timers of a node that share one of the clock's."""

from __future__ import annotations

from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.timer_queue import QueuedTimer, TimerQueue
from tests.support.fake_clock import FakeClock


class Broken(Exception):
    """Raised by a call that fails."""


class TimerQueueTest(SynchronousTestCase):
    """Two seconds each."""

    def setUp(self) -> None:
        self.clock = FakeClock()
        self.queue = TimerQueue(self.clock, 2.0)
        self.made: list[str] = []

    def begin(self, name: str) -> QueuedTimer:
        """A timer that says so when it is due."""
        return self.queue.begin(partial(self.made.append, name))

    def test_each_is_due_in_its_time(self) -> None:
        self.begin("first")
        self.clock.advance(1)
        self.begin("second")
        assert len(self.clock.timers) == 1
        self.clock.advance(1)
        assert self.made == ["first"]
        self.clock.advance(0.9)
        assert self.made == ["first"]
        self.clock.advance(0.1)
        assert self.made == ["first", "second"]
        assert not self.clock.timers

    def test_those_that_are_called_off(self) -> None:
        self.begin("first").cancel()
        self.clock.advance(1)
        second, third = self.begin("second"), self.begin("third")
        second.cancel()
        self.clock.advance(2)
        assert self.made == ["third"]
        third.cancel()
        assert not self.clock.timers

    def test_one_calls_off_another_that_is_due(self) -> None:
        def call_off() -> None:
            second.cancel()

        self.queue.begin(call_off)
        second = self.begin("second")
        self.clock.advance(2)
        assert self.made == []

    def test_one_fails(self) -> None:
        def fail() -> None:
            raise Broken

        self.queue.begin(fail)
        self.begin("second")
        self.clock.advance(1)
        self.begin("third")
        with self.assertRaises(Broken):
            self.clock.advance(1)
        self.clock.advance(1)
        assert self.made == ["second", "third"]
