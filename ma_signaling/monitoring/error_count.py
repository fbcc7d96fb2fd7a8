"""Counts errors of any kind: every log event of level error or above, from any source."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.application.service import Service
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer

from ma_signaling.monitoring.metric import Kind, Metric


@implementer(ILogObserver)
class ErrorCount(Service):
    """Counts log events while it runs, including those that ``LogWriter`` leaves out."""

    def __init__(self) -> None:
        self.count = 0

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        globalLogPublisher.addObserver(self)

    def stopService(self) -> None:
        super().stopService()
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Count a log event, if it is an error."""
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            self.count += 1

    def metrics(self) -> Iterator[Metric]:
        """Yield the number of errors."""
        yield Metric(Kind.COUNTER, "errors", "Errors in the log, of any kind", samples={(): self.count})
