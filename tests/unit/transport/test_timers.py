"""Jobs and deadlines that outlive their exceptions, and verdicts after reading."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.transport.sockets import DirectServer
from ma_signaling.transport.timers import TICK_SECONDS, Deadlines, Periodic, Waiting


class Failing:
    """Fails at its deadline."""

    deadline_queue: dict[Waiting, Any] | None = None
    transport = None
    is_put_off = False
    calls = 0

    def deadline_passed(self) -> None:
        """Fail."""
        self.calls += 1
        raise RuntimeError("a deadline")


class PeriodicTest(SynchronousTestCase):
    """A job goes on after an exception."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.outcomes: list[Exception | None] = []
        self.calls = 0
        self.periodic = Periodic("a job", 5, self.job, self.clock)
        self.periodic.startService()

    def job(self) -> None:
        """Do what the test says; nothing where it says nothing."""
        self.calls += 1
        if self.outcomes and (problem := self.outcomes.pop(0)) is not None:
            raise problem

    def test_goes_on(self) -> None:
        self.outcomes = [RuntimeError(), RuntimeError(), None, RuntimeError()]
        self.clock.pump([5] * 6)
        assert self.calls == 6
        assert len(self.flushLoggedErrors(RuntimeError)) == 2, "one for each row of failures"

    def test_stops(self) -> None:
        self.periodic.stopService()
        self.periodic.stopService()
        self.clock.advance(5)
        assert (self.calls, self.clock.getDelayedCalls()) == (0, [])


class DeadlinesTest(SynchronousTestCase):
    """The queue of deadlines."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.deadlines = Deadlines(self.clock)
        self.deadlines.startService()

    def test_goes_on_after_an_exception(self) -> None:
        failing = [Failing() for _ in range(3)]
        for each in failing[:2]:
            self.deadlines.set(each, 2)
        self.clock.pump([TICK_SECONDS] * 5)
        self.deadlines.set(failing[2], 2)
        self.clock.pump([TICK_SECONDS] * 50)
        assert [each.calls for each in failing] == [1, 1, 1]
        assert len(self.flushLoggedErrors(RuntimeError)) == 3

    def test_a_deadline_that_sets_another(self) -> None:
        """Of a length that there was none of before."""
        first, second = Failing(), Failing()
        self.deadlines.set(first, 2)
        first.deadline_passed = lambda: self.deadlines.set(second, 1)  # type: ignore[method-assign]
        self.clock.pump([TICK_SECONDS] * 10)
        assert second.calls == 1
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    def test_a_deadline_that_moves_another(self) -> None:
        """Which waits for what its socket holds."""
        first, second = Failing(), Failing()
        for each in (first, second):
            each.is_put_off = True
            self.deadlines.set(each, 2)
        self.clock.pump([TICK_SECONDS] * 6)
        first.deadline_passed = lambda: self.deadlines.set(second, 2)  # type: ignore[method-assign]
        first.is_put_off = second.is_put_off = False
        self.clock.advance(TICK_SECONDS)
        assert second.calls == 0
        self.clock.pump([TICK_SECONDS] * 6)
        assert second.calls == 1
        self.flushLoggedErrors(RuntimeError)

    def test_never_early(self) -> None:
        self.clock.advance(TICK_SECONDS / 2)
        failing = Failing()
        self.deadlines.set(failing, 2)
        self.clock.pump([TICK_SECONDS] * 4)
        assert failing.calls == 0
        self.clock.advance(TICK_SECONDS)
        assert failing.calls == 1
        self.flushLoggedErrors(RuntimeError)

    def test_a_loop_that_stands_still_lets_none_pass(self) -> None:
        failing = Failing()
        self.deadlines.set(failing, 2)
        self.clock.advance(3600)
        assert failing.calls == 0


class VerdictTest(SynchronousTestCase):
    """Nobody is judged before what its socket holds was read."""

    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.deadlines = Deadlines(self.clock)
        self.deadlines.startService()
        ours, self.peer = socket.socketpair()
        self.addCleanup(self.peer.close)
        self.addCleanup(ours.close)
        port = SimpleNamespace(_realPortNumber=8787)
        reactor: Any = SimpleNamespace(addReader=id, removeReader=id, removeWriter=id)
        self.transport: Any = DirectServer(ours, Protocol(), ("192.0.2.1", 1), port, 0, reactor)
        self.judged = 0
        self.is_put_off = False
        """As a connection's."""

    deadline_queue: dict[Waiting, Any] | None = None

    def deadline_passed(self) -> None:
        """Be judged."""
        self.judged += 1

    def test_nothing_to_read(self) -> None:
        self.deadlines.after_reading(self, self.deadline_passed)
        assert self.judged == 0
        self.clock.advance(0)
        assert self.judged == 1

    def test_something_to_read(self) -> None:
        self.peer.send(b"x" * 100_000)
        self.deadlines.after_reading(self, self.deadline_passed)
        self.deadlines.set(self, 2)
        self.clock.pump([TICK_SECONDS] * 10)
        assert self.judged == 0
        self.transport.doRead()
        # What comes later is not waited for.
        self.peer.send(b"x" * 50_000)
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 0
        self.transport.doRead()
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 2

    def test_what_was_read_in_time_counts(self) -> None:
        """A deadline that is cleared by what was unread when it was due."""
        self.peer.send(b"x")
        self.deadlines.set(self, 2)
        self.clock.pump([TICK_SECONDS] * 10)
        self.transport.doRead()
        self.deadlines.clear(self)
        self.clock.pump([TICK_SECONDS] * 10)
        assert self.judged == 0

    def test_received_but_put_off(self) -> None:
        self.is_put_off = True
        self.deadlines.after_reading(self, self.deadline_passed)
        self.clock.pump([TICK_SECONDS] * 10)
        assert self.judged == 0
        self.is_put_off = False
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 1

    def test_a_lag_before_is_added(self) -> None:
        """As after `kill -STOP`, a minute, `kill -CONT`, also if the loop's own timers have not run yet."""
        for is_noticed in (False, True):
            self.judged = 0
            self.clock.pump([TICK_SECONDS] * 50)
            if not is_noticed:
                self.clock.callLater(60, self.deadlines.after_reading, self, self.deadline_passed)
            self.clock.advance(60)
            if is_noticed:
                self.deadlines.after_reading(self, self.deadline_passed)
            self.clock.pump([TICK_SECONDS] * 119)
            assert self.judged == 0
            self.clock.pump([TICK_SECONDS] * 3)
            assert self.judged == 1

    def test_who_is_not_read(self) -> None:
        """What its socket holds is not read because of what it does itself, such as not reading replies."""
        self.transport.startReading()
        self.peer.send(b"x" * 100_000)
        self.deadlines.set(self, 2)
        self.clock.pump([TICK_SECONDS] * 10)
        assert self.judged == 0
        self.transport.stopReading()
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 1

    def test_gone(self) -> None:
        self.peer.send(b"x" * 100_000)
        self.deadlines.after_reading(self, self.deadline_passed)
        self.clock.advance(TICK_SECONDS)
        self.transport.connected = 0
        self.clock.advance(TICK_SECONDS)
        assert self.judged == 1
