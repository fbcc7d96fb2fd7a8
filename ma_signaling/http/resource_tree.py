"""The resource tree: what is served at which path, on the same port as the WebSocket."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.web.resource import IResource

from ma_signaling.config.settings import Settings
from ma_signaling.core.hub import Hub
from ma_signaling.http import static_files, web_pages
from ma_signaling.http.api import Check, TracePage
from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.health import Health, Ready
from ma_signaling.http.metrics_page import MetricsPage
from ma_signaling.http.resource import NotFound, client_of
from ma_signaling.http.websocket_entry import WebSocketEntry
from ma_signaling.monitoring.metrics import Metrics
from ma_signaling.monitoring.readiness import Readiness
from ma_signaling.transport.client_address import ClientAddresses


def make_root(
    hub: Hub,
    addresses: ClientAddresses,
    metrics: Metrics,
    readiness: Readiness,
    settings: Settings,
    web_app: IResource | None = None,
) -> tuple[web_pages.Root, WebSocketEntry]:
    """Return the resource tree, and its ``/ws``, which still needs its factory."""
    app = "" if web_app is None else "/app/"
    root = web_pages.Root(hub, addresses, app)

    def may_read_metrics(request: HttpRequest) -> bool:
        client = client_of(request, addresses)
        return not client.shared and any(ip_address(client.text) in each for each in settings.metrics_allow)

    root.putChild(b"metrics", MetricsPage(metrics, may_read_metrics))
    root.putChild(b"health", Health(hub))
    root.putChild(b"ready", Ready(readiness))
    root.putChild(b"doctor", web_pages.TranslatedPage("doctor.html", app))
    root.putChild(b"sessions", web_pages.SessionPages())
    root.putChild(b"assets", static_files.folder(web_pages.read_assets()))
    root.putChild(b"app", web_pages.MissingPage("no-app") if web_app is None else web_app)
    api = NotFound()
    api.putChild(b"check", Check(hub, addresses))
    api.putChild(b"sessions", TracePage(hub, addresses))
    root.putChild(b"api", api)
    entry = WebSocketEntry()
    root.putChild(b"ws", entry)
    return root, entry
