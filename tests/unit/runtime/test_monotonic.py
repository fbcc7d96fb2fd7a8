"""The reactor's own clock."""

from __future__ import annotations

import time

from twisted.internet.base import ReactorBase
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.monotonic import MAX_STEP, use_monotonic_time


class MonotonicTest(SynchronousTestCase):
    """A reactor of the kind that twistd installs."""

    def test_timers(self) -> None:
        reactor: ReactorBase = EPollReactor()
        self.addCleanup(reactor.fireSystemEvent, "shutdown")
        calls: list[str] = []
        reactor.callLater(60, calls.append, "a minute after it was set")
        reactor.callLater(0, calls.append, "set before")
        use_monotonic_time(reactor)
        reactor.callLater(0, calls.append, "set after")
        reactor.callLater(60, calls.append, "another minute")
        reactor.runUntilCurrent()
        assert calls == ["set before", "set after"]
        assert abs(reactor.seconds() - time.monotonic()) < 60
        timeout = reactor.timeout()
        assert timeout is not None
        assert 0 < timeout < MAX_STEP

    def test_a_standstill_is_no_time(self) -> None:
        """As with `kill -STOP`, or a machine that sleeps, and where one turn of the loop takes long."""
        reactor: ReactorBase = EPollReactor()
        self.addCleanup(reactor.fireSystemEvent, "shutdown")
        clock = Clock()
        use_monotonic_time(reactor, clock.seconds)
        calls: list[float] = []
        reactor.callLater(10, lambda: calls.append(clock.seconds()))

        def run(seconds: float) -> None:
            for _ in range(round(seconds / 0.25)):
                clock.advance(0.25)
                reactor.runUntilCurrent()

        run(5)
        clock.advance(120)
        run(4)
        assert not calls
        run(0.25)
        assert calls == [129.25]
