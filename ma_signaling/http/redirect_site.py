"""The unencrypted port beside TLS: it answers a CA (RFC 8555 section 8.3), and redirects everybody else to https."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.web.resource import IResource

from ma_signaling.core.errors import WireError
from ma_signaling.http.channel import HttpChannel, HttpRequest, HttpSite
from ma_signaling.http.resource import NotFound, Page
from ma_signaling.transport.factory import SignalingFactory
from ma_signaling.transport.request_head import RequestHead
from ma_signaling.transport.sockets import peer_address


class Challenge(Page):
    """``/.well-known/acme-challenge/TOKEN``."""

    def __init__(self, authorization: Callable[[str], str | None], token: str = "") -> None:
        super().__init__()
        self._authorization = authorization
        self._token = token

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return NotFound() if self._token else Challenge(self._authorization, path.decode("latin-1"))

    def render_GET(self, request: HttpRequest) -> bytes | int:
        answer = self._authorization(self._token)
        if answer is None:
            return super().render_GET(request)
        request.setHeader(b"Content-Type", b"application/octet-stream")
        return answer.encode()


class Redirect(Page):
    """Redirects any other path to https, at a name that is in the certificate."""

    isLeaf = True

    def __init__(self, names: Sequence[str], port: int) -> None:
        super().__init__()
        self._names = names
        self._port = "" if port == 443 else f":{port}"

    def render_GET(self, request: HttpRequest) -> bytes | int:
        asked = request.getRequestHostname().decode("latin-1").lower()
        name = asked if asked in self._names else self._names[0]
        target = request.uri if request.uri.startswith(b"/") else b"/"
        request.setResponseCode(301)
        request.setHeader(b"Location", f"https://{name}{self._port}".encode() + target)
        return b""


class Root(Redirect):
    """The resource tree of this port."""

    isLeaf = False

    def __init__(self, names: Sequence[str], port: int, authorization: Callable[[str], str | None]) -> None:
        super().__init__(names, port)
        known = NotFound()
        known.putChild(b"acme-challenge", Challenge(authorization))
        self.putChild(b".well-known", known)
        self._redirect = Redirect(names, port)

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self._redirect


class CountedChannel(HttpChannel):
    """A connection that takes its own place among all sockets, as no ``FirstRequest`` has."""

    factory: RedirectSite

    def connectionMade(self) -> None:
        super().connectionMade()
        key = self.factory.addresses.socket_key(peer_address(self.transport))
        if not self.factory.capacity.accept():
            self.give_way()
        elif key is not None:
            granted = self.factory.hub.entrance.accept(key, self)
            if granted is None or isinstance(granted, WireError):
                self.give_way()
            else:
                self.place = granted


class RedirectSite(HttpSite):
    """The site for this port, beside the ports of ``main``, with which it shares all limits."""

    def __init__(
        self, root: Root, main: SignalingFactory, charge: Callable[[Any, RequestHead], float]
    ) -> None:
        super().__init__(
            root, main.hub.capacity, main.settings, main.report, charge, main.deadlines, main.reactor
        )
        self.hub = main.hub
        self.addresses = main.addresses

    def new_channel(self) -> HttpChannel:
        return CountedChannel()
