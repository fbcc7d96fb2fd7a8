"""The reactor's own clock."""

from __future__ import annotations

import time

from twisted.internet.base import ReactorBase
from twisted.internet.epollreactor import EPollReactor
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.monotonic import use_monotonic_time


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
        assert 0 < timeout <= 60
