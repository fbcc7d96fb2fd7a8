"""How late the event loop is: a timer that is called late tells how long everybody else waits as well."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ma_signaling.monitoring.metrics import gauge

LOOK_SECONDS = 0.5
"""Time between two looks."""

MOST_LAG_SECONDS = 1.0
"""With more, this server should get no newcomers."""


class LoopLag(Service):
    """Looks every now and then; both figures are in seconds."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._call: IDelayedCall | None = None
        self._due = 0.0
        self._highest = 0.0
        self.latest = 0.0
        """What the latest look found."""

    @property
    def is_small(self) -> bool:
        """Whether newcomers would be served in good time."""
        return self.latest <= MOST_LAG_SECONDS

    def take_highest(self) -> float:
        """The highest that any look has found since this was last asked."""
        highest, self._highest = self._highest, 0.0
        return highest

    def metrics(self) -> Iterator[Metric]:
        """What an operator wants to see of it."""
        yield gauge(
            "event_loop_lag_seconds",
            "How late the event loop was at worst, since the last scrape",
            self.take_highest(),
        )

    def startService(self) -> None:
        super().startService()
        self._wait()

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self) -> None:
        self._due = self._reactor.seconds() + LOOK_SECONDS
        self._call = self._reactor.callLater(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        # A clock that is set back must not count.
        self.latest = max(0.0, self._reactor.seconds() - self._due)
        self._highest = max(self._highest, self.latest)
        self._wait()
