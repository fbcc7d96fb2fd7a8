"""Counts errors of any kind: every line of the log at the level error or above, whoever writes it."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.application.service import Service
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import implementer

from ma_signaling.monitoring.metric import Kind, Metric


@implementer(ILogObserver)
class ErrorCount(Service):
    """Listens to the log while it runs, before any line of it is left out."""

    def __init__(self) -> None:
        self.count = 0

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        globalLogPublisher.addObserver(self)

    def stopService(self) -> None:
        super().stopService()
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Take an event of the log."""
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            self.count += 1

    def metrics(self) -> Iterator[Metric]:
        """Yield the metric about it."""
        yield Metric(Kind.COUNTER, "errors", "Errors in the log, of any kind", samples={(): self.count})
