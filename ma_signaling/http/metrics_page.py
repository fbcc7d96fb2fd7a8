"""``/metrics``: for Prometheus, on a port of its own or beside all else."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ma_signaling.config.settings import Settings
from ma_signaling.core.capacity import UNLIMITED, Capacity
from ma_signaling.core.events import Report
from ma_signaling.http.channel import HttpRequest, HttpSite
from ma_signaling.http.resource import NotFound, Page
from ma_signaling.monitoring.metrics import CONTENT_TYPE, Metrics
from ma_signaling.transport.timers import Deadlines


class MetricsPage(Page):
    """``/metrics``: for those who may; nobody else learns that it is there."""

    def __init__(self, metrics: Metrics, may_read: Callable[[HttpRequest], bool]) -> None:
        super().__init__()
        self._metrics = metrics
        self._may_read = may_read

    def render_GET(self, request: HttpRequest) -> bytes | int:
        if not self._may_read(request):
            return super().render_GET(request)
        request.setHeader(b"Content-Type", CONTENT_TYPE)
        return self._metrics.text()


def make_metrics_site(
    metrics: Metrics, settings: Settings, report: Report, deadlines: Deadlines, reactor: IReactorTime
) -> HttpSite:
    """What a port of its own serves: /metrics, to whoever reaches it."""
    root = NotFound()
    root.putChild(b"metrics", MetricsPage(metrics, lambda _: True))
    # With a count of its own: whoever asks here takes no place of a home's.
    return HttpSite(root, Capacity(UNLIMITED), settings, report, lambda *_: 0.0, deadlines, reactor)
