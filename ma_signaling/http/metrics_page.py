"""``/metrics``: for Prometheus, on a port of its own or beside all else."""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.http.channel import HttpRequest, HttpSite
from ma_signaling.http.operators_site import operators_site
from ma_signaling.http.resource import NotFound, Page
from ma_signaling.monitoring.metrics import CONTENT_TYPE, Metrics
from ma_signaling.transport.factory import SignalingFactory


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


def make_metrics_site(metrics: Metrics, main: SignalingFactory) -> HttpSite:
    """Return what a port of its own serves, beside those of ``main``: /metrics, to whoever reaches it."""
    root = NotFound()
    root.putChild(b"metrics", MetricsPage(metrics, lambda _: True))
    return operators_site(root, main)
