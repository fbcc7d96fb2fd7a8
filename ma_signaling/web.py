"""The REST side: a small twisted.web tree beside the WebSocket, on the same port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from string import Template
from typing import Any

import orjson
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import CACHED
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from ma_signaling import __version__, page_files, remote_id, request_head
from ma_signaling.address import ClientAddresses
from ma_signaling.capacity import Capacity
from ma_signaling.errors import Refused, WireError
from ma_signaling.http_channel import HttpSite
from ma_signaling.http_reply import refusal
from ma_signaling.hub import Hub
from ma_signaling.metrics import CONTENT_TYPE, Metrics
from ma_signaling.page_files import PageFile
from ma_signaling.peer import ClientAddress
from ma_signaling.readiness import Readiness
from ma_signaling.request_head import RequestHead
from ma_signaling.settings import Settings
from ma_signaling.transport import hand_over, neighbour
from ma_signaling.websocket_factory import SignalingFactory

CORS_HEADERS = {
    b"Access-Control-Allow-Methods": b"GET, OPTIONS",
    b"Access-Control-Allow-Headers": b"Content-Type",
}

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Page(Resource):
    """A resource for GET and HEAD; OPTIONS is answered anywhere, any other method is not allowed."""

    def render(self, request: Request) -> bytes | int:
        if request.method == b"OPTIONS":
            request.setResponseCode(204)
            for name, value in CORS_HEADERS.items():
                request.setHeader(name, value)
            return b""
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"Allow", b"GET, HEAD, OPTIONS")
            return reply(request, 405, {"error": "Method not allowed"})
        body = self.render_GET(request)
        if request.method == b"HEAD" and isinstance(body, bytes):
            request.setHeader(b"Content-Length", b"%d" % len(body))
            return b""
        return body

    def getChild(self, path: bytes, request: Request) -> IResource:
        return NotFound()

    def render_GET(self, request: Request) -> bytes | int:
        return reply(request, 404, {"error": "Not found"})


class NotFound(Page):
    """Nothing is here."""


def reply(request: Request, status: int, body: dict[str, object]) -> bytes:
    """Answer with JSON."""
    request.setResponseCode(status, HTTPStatus(status).phrase.encode())
    request.setHeader(b"Content-Type", b"application/json")
    return orjson.dumps(body)


def refuse(request: Request, error: WireError) -> bytes:
    """Answer with an error of the wire."""
    status, body, extra = refusal(error)
    for field, value in extra.items():
        request.setHeader(field, value)
    return reply(request, status, body)


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


class Named(Page):
    """``…/NAME``: an answer about what is so named, for those who may ask."""

    def __init__(self, hub: Hub, addresses: ClientAddresses, name: str | None = None) -> None:
        super().__init__()
        self._hub = hub
        self._addresses = addresses
        self._name = name

    def getChild(self, path: bytes, request: Request) -> IResource:
        if self._name is not None:
            return NotFound()
        return type(self)(self._hub, self._addresses, path.decode("latin-1"))

    def render_GET(self, request: Request) -> bytes | int:
        if self._name is None:
            return super().render_GET(request)
        try:
            return self.answer(request, self._name, client_of(request, self._addresses))
        except Refused as refused:
            return refuse(request, refused.error)

    def answer(self, request: Request, name: str, client: ClientAddress) -> bytes | int:
        """The reply; raises ``Refused`` for one who has asked too often."""
        raise NotImplementedError


class Answer:
    """Whether a home is online: known at once, or when other nodes have been asked."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._body: bytes | None = None
        self._is_late = self._is_gone = False

    def give(self, online: bool | WireError) -> None:
        """It is known now."""
        if isinstance(online, bool):
            self._body = reply(self._request, 200, {"online": online})
        else:
            self._body = refuse(self._request, online)
        if self._is_late and not self._is_gone:
            self._request.write(self._body if self._request.method != b"HEAD" else b"")
            self._request.finish()

    def now(self) -> bytes | int:
        """The reply, or that it comes later."""
        if self._body is not None:
            return self._body
        self._is_late = True
        self._request.notifyFinish().addErrback(lambda _: self._gone())
        return NOT_DONE_YET

    def _gone(self) -> None:
        self._is_gone = True


class Check(Named):
    """``/api/check/R``: whether the home with the Remote ID R is connected now."""

    def answer(self, request: Request, name: str, client: ClientAddress) -> bytes | int:
        try:
            wanted = remote_id.normalise(name)
        except Refused:
            # No home can have such a Remote ID.
            return reply(request, 200, {"online": False})
        answer = Answer(request)
        self._hub.lookups.is_online(client, wanted, answer.give)
        return answer.now()


class SessionStory(Named):
    """``/api/sessions/S``: what happened in the session S."""

    def answer(self, request: Request, name: str, client: ClientAddress) -> bytes:
        story = self._hub.lookups.story(client, name)
        return (
            reply(request, 404, {"error": "Session not found"})
            if story is None
            else reply(request, 200, story)
        )


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


def client_of(request: Request, addresses: ClientAddresses) -> ClientAddress:
    """Whom a request comes from."""
    headers = request.requestHeaders
    return addresses.of(neighbour(request.transport), lambda name: headers.getRawHeaders(name, []))


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
