"""The REST side: a small twisted.web tree beside the WebSocket, on the same port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from string import Template
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import CACHED
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request

from ma_signaling import __version__
from ma_signaling.config.settings import Settings
from ma_signaling.core.capacity import Capacity
from ma_signaling.core.hub import Hub
from ma_signaling.http import page_files
from ma_signaling.http.channel import HttpSite
from ma_signaling.http.page_files import PageFile
from ma_signaling.http.resource import NotFound, Page, client_of, reply
from ma_signaling.http.rest import Check, SessionStory
from ma_signaling.monitoring.metrics import CONTENT_TYPE, Metrics
from ma_signaling.monitoring.readiness import Readiness
from ma_signaling.transport import request_head
from ma_signaling.transport.client_address import ClientAddresses
from ma_signaling.transport.factory import SignalingFactory
from ma_signaling.transport.request_head import RequestHead
from ma_signaling.transport.transports import hand_over

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Root(Page):
    """``/``: what this is, and what it offers."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub
        self._html = Template(page_files.read("root.html").body.decode())

    def getChild(self, path: bytes, request: Request) -> IResource:
        return self if path == b"" and not request.postpath else super().getChild(path, request)

    def render_GET(self, request: Request) -> bytes:
        counts = self._hub.counts()
        lines = [
            "Music Assistant Signaling Server",
            "",
            "Status: Running",
            f"Version: {__version__}",
            f"Connected servers: {counts['servers']}",
            f"Connected clients: {counts['clients']}",
            f"Pending clients: {counts['pendingClients']}",
            "",
            "Endpoints:",
            "  /ws - WebSocket connection",
            "  /health - Health check",
            "  /ready - Whether newcomers are welcome",
            "  /api/check/REMOTE-ID - Check if a Remote ID is online",
            "  /doctor - Why doesn't it connect? (for a browser)",
            "",
        ]
        request.setHeader(b"Vary", b"Accept")
        if b"text/html" in (request.getHeader(b"accept") or b""):
            _set_page_headers(request, b"text/html; charset=utf-8")
            return self._html.substitute(
                servers=counts["servers"],
                clients=counts["clients"],
                pending=counts["pendingClients"],
                version=__version__,
            ).encode()
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return "\n".join(lines).encode()


class File(Page):
    """A file for browsers, which ask each time whether theirs is still the latest."""

    def __init__(self, file: PageFile) -> None:
        super().__init__()
        self._file = file

    def render_GET(self, request: Request) -> bytes:
        _set_page_headers(request, self._file.type)
        request.setHeader(b"Cache-Control", b"no-cache")
        return b"" if request.setETag(self._file.etag) is CACHED else self._file.body


def _set_page_headers(request: Request, type: bytes) -> None:
    request.setHeader(b"Content-Type", type)
    for name, value in page_files.HEADERS.items():
        request.setHeader(name, value)


def _folder(entries: Mapping[str, PageFile | Mapping[str, PageFile]]) -> Page:
    """A resource for each of these files, and one for each directory of them."""
    folder = NotFound()
    for name, entry in entries.items():
        folder.putChild(name.encode(), File(entry) if isinstance(entry, PageFile) else _folder(entry))
    return folder


class Health(Page):
    """``/health``: never limited, whoever asks."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub

    def render_GET(self, request: Request) -> bytes:
        return reply(request, 200, {"status": "ok", "version": __version__, **self._hub.counts()})


class Ready(Page):
    """``/ready``: whether newcomers are welcome; never limited either."""

    def __init__(self, readiness: Readiness) -> None:
        super().__init__()
        self._readiness = readiness

    def render_GET(self, request: Request) -> bytes:
        obstacle = self._readiness.obstacle()
        if obstacle is None:
            return reply(request, 200, {"ready": True})
        return reply(request, 503, {"ready": False, "reason": obstacle})


class WebSocketEntry(Page):
    """``/ws`` for requests that the HTTP server had to read: on a kept connection, or written in an unusual way."""

    factory: SignalingFactory

    def render_GET(self, request: Request) -> bytes | int:
        fields = {name.lower(): list(values) for name, values in request.requestHeaders.getAllRawHeaders()}
        head = RequestHead(request.method, request_head.WEBSOCKET_PATH, fields)
        if not head.wants_websocket:
            request.setHeader(b"Upgrade", b"websocket")
            return reply(request, 426, {"error": "Expected WebSocket"})
        lines = [b"%b %b %b" % (head.method, head.path, request.clientproto)]
        lines += [b"%b: %b" % (name, value) for name, values in fields.items() for value in values]
        channel: Any = request.channel
        transport = channel.transport
        transport.unregisterProducer()
        transport.resumeProducing()
        # The place that this connection holds is taken again by the protocol that goes on with it.
        self.factory.capacity.give_back(channel.counts_for)
        protocol: Any = self.factory.buildProtocol(transport.getPeer())
        hand_over(channel, protocol)
        protocol.begin_websocket(head, b"\r\n".join([*lines, b"", b""]))
        return NOT_DONE_YET


class MetricsPage(Page):
    """``/metrics``: for those who may; nobody else learns that it is there."""

    def __init__(self, metrics: Metrics, may_read: Callable[[Request], bool]) -> None:
        super().__init__()
        self._metrics = metrics
        self._may_read = may_read

    def render_GET(self, request: Request) -> bytes | int:
        if not self._may_read(request):
            return super().render_GET(request)
        request.setHeader(b"Content-Type", CONTENT_TYPE)
        return self._metrics.text()


def make_metrics_site(metrics: Metrics, settings: Settings, reactor: IReactorTime) -> HttpSite:
    """What a port of its own serves: /metrics, to whoever reaches it."""
    root = NotFound()
    root.putChild(b"metrics", MetricsPage(metrics, lambda _: True))
    # With a count of its own: whoever asks here takes no place of a home's.
    return HttpSite(root, Capacity(0, 0), settings, reactor)


def make_root(
    hub: Hub, addresses: ClientAddresses, metrics: Metrics, readiness: Readiness, settings: Settings
) -> tuple[Root, WebSocketEntry]:
    """The resource tree, and its ``/ws``, which still needs its factory."""
    root = Root(hub)

    def may_read_metrics(request: Request) -> bool:
        client = client_of(request, addresses)
        allowed = (*LOOPBACK, *settings.metrics_allow)
        is_allowed = not client.shared and any(ip_address(client.text) in network for network in allowed)
        return is_allowed and not settings.metrics_port

    root.putChild(b"metrics", MetricsPage(metrics, may_read_metrics))
    root.putChild(b"health", Health(hub))
    root.putChild(b"ready", Ready(readiness))
    root.putChild(b"doctor", File(page_files.read("doctor.html")))
    root.putChild(b"assets", _folder(page_files.read_assets()))
    api = NotFound()
    api.putChild(b"check", Check(hub, addresses))
    api.putChild(b"sessions", SessionStory(hub, addresses))
    root.putChild(b"api", api)
    entry = WebSocketEntry()
    root.putChild(request_head.WEBSOCKET_PATH.lstrip(b"/"), entry)
    return root, entry
