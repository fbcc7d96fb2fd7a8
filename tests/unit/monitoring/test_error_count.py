"""Errors are counted, whoever logs them."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.monitoring.error_count import ErrorCount


class ErrorCountTest(SynchronousTestCase):
    """While it runs."""

    def test_count(self) -> None:
        errors = ErrorCount()
        writer = Logger(namespace="anybody")
        writer.error("before")
        errors.privilegedStartService()
        errors.startService()
        writer.warn("a warning")
        writer.error("an error")
        writer.critical("another")
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            writer.failure("a failure")
        self.flushLoggedErrors(ZeroDivisionError)
        errors.stopService()
        writer.error("after")
        assert errors.count == 3
        (metric,) = errors.metrics()
        assert metric.samples == {(): 3}
