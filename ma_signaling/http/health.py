"""``/health`` and ``/ready``, for monitoring."""

from __future__ import annotations

from ma_signaling import __version__
from ma_signaling.core.hub import Hub
from ma_signaling.core.prover import availability
from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import Page, reply
from ma_signaling.monitoring.readiness import Readiness


class Health(Page):
    """``/health``, without a rate limit."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub

    def render_GET(self, request: HttpRequest) -> bytes:
        proof = availability(self._hub.prover.obstacle)
        return reply(
            request, 200, {"status": "ok", "version": __version__, **self._hub.counts(), "proof": proof}
        )


class Ready(Page):
    """``/ready``: whether newcomers are welcome. Without a rate limit."""

    def __init__(self, readiness: Readiness) -> None:
        super().__init__()
        self._readiness = readiness

    def render_GET(self, request: HttpRequest) -> bytes:
        obstacle = self._readiness.obstacle()
        if obstacle is None:
            return reply(request, 200, {"ready": True})
        return reply(request, 503, {"ready": False, "reason": obstacle})
