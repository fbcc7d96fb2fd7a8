"""``/metrics`` for Prometheus, on a port of its own or on the common one."""

from __future__ import annotations

from collections.abc import Callable

from ma_signaling.http.channel import HttpRequest, HttpSite
from ma_signaling.http.operators_site import operators_site
from ma_signaling.http.resource import NotFound, Page
from ma_signaling.monitoring.metrics import CONTENT_TYPE, Metrics
from ma_signaling.transport.factory import SignalingFactory


class MetricsPage(Page):
    """``/metrics``, for those who may read it; it looks missing to all others."""

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
    """Return the site for a port of its own, beside those of ``main``: /metrics, for everybody who reaches it."""
    root = NotFound()
    root.putChild(b"metrics", MetricsPage(metrics, lambda _: True))
    return operators_site(root, main)
