"""Signals while their handler is set."""

from __future__ import annotations

import signal
from unittest import TestCase, mock

from ma_signaling.runtime.signals import _set


class RaceTest(TestCase):
    """One that comes between Python and the kernel must neither be told of in the log nor be lost."""

    def setUp(self) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, each, signal.getsignal(each))

    def test_a_signal_that_comes_meanwhile(self) -> None:
        set_really, came = signal.signal, list[int]()

        def set_late(number: int, handler: signal.Handlers) -> object:
            signal.raise_signal(number)
            return set_really(number, handler)

        _set(lambda number, frame: came.append(number))
        with mock.patch("signal.signal", set_late):
            _set(signal.SIG_IGN)
        assert came == []
        set_really(signal.SIGTERM, signal.SIG_DFL)
        set_really(signal.SIGINT, signal.SIG_DFL)
        with mock.patch("signal.signal", set_late):
            _set(lambda number, frame: came.append(number))
        assert set(came) == {signal.SIGTERM, signal.SIGINT}
        assert not {signal.SIGTERM, signal.SIGINT} & signal.pthread_sigmask(signal.SIG_BLOCK, ())
