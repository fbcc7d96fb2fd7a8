"""Whether this server should get newcomers now, for load balancers; and the lag of its event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ma_signaling.monitoring.metric import Metric, gauge

MEASURE_SECONDS = 0.5
"""Time between two measurements of the event loop's lag."""

WINDOW_SECONDS = 60.0
"""The time for which the highest lag is known: at least that between two scrapes."""

MAX_LAG_SECONDS = 1.0
"""With more lag, this server should get no newcomers."""


class Readiness:
    """Named checks. Each must be quick and never raise."""

    def __init__(self) -> None:
        self._checks: list[tuple[str, Callable[[], bool]]] = []

    def add(self, reason: str, holds: Callable[[], bool]) -> None:
        """Add a check: ready only while ``holds()`` is true. ``reason`` is a short fixed word that says why not."""
        self._checks.append((reason, holds))

    def metrics(self) -> Iterator[Metric]:
        """Yield the readiness."""
        yield gauge("ready", "Whether newcomers are welcome: 1, or 0", float(self.obstacle() is None))

    def obstacle(self) -> str | None:
        """Return the reason of the first failing check, None if this server is ready."""
        return next((reason for reason, holds in self._checks if not holds()), None)


class LoopLag(Service):
    """Measures how late the event loop calls a timer, and so how long every peer has to wait."""

    def __init__(self, reactor: IReactorTime, clock: Callable[[], float] | None = None) -> None:
        """``clock`` must go on while this process stands still, unlike the reactor's."""
        self._reactor = reactor
        self._clock = clock or reactor.seconds
        self._call: IDelayedCall | None = None
        self._due = 0.0
        self._measured: deque[float] = deque(maxlen=round(WINDOW_SECONDS / MEASURE_SECONDS))
        self.latest = 0.0
        """The latest measurement, in seconds."""

    @property
    def is_small(self) -> bool:
        """Whether the lag is small enough for newcomers."""
        return self.latest <= MAX_LAG_SECONDS

    @property
    def highest(self) -> float:
        """The highest measurement of the last minute, in seconds; reading it doesn't reset it."""
        return max(self._measured, default=0.0)

    def metrics(self) -> Iterator[Metric]:
        """Yield the highest lag."""
        yield gauge(
            "event_loop_lag_seconds",
            "Highest lag of the event loop within the last minute",
            self.highest,
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
        self._due = self._clock() + MEASURE_SECONDS
        self._call = self._reactor.callLater(MEASURE_SECONDS, self._measure)

    def _measure(self) -> None:
        self.latest = self._clock() - self._due
        self._measured.append(self.latest)
        self._wait()
