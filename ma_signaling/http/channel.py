"""HTTP as strangers may speak it: bounded heads, no bodies, JSON for what isn't understood, no version banner."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from ma_signaling.config.settings import Settings
from ma_signaling.core.capacity import Capacity, SocketPlace
from ma_signaling.monitoring.silence import SILENCE
from ma_signaling.transport.http_reply import COMMON_HEADERS, json_reply

IDLE_SECONDS = 30
"""What a connection has between two requests, and for the head of the next."""


class _Request(Request):
    """A request whose reply has this server's headers."""

    def process(self) -> None:
        for name, value in {**COMMON_HEADERS, **self.channel.factory.hsts(self.channel.transport)}.items():
            self.setHeader(name, value)
        if self.path == b"*":
            # Twisted would answer ``OPTIONS *`` by itself.
            self.path = b"/*"
        elif not self.path.startswith(b"/"):
            # A request may name the whole URL (RFC 9112 section 3.2.2); its host is not ours to judge.
            self.path = b"/" + self.path.partition(b"://")[2].partition(b"/")[2]
        super().process()

    def write(self, data: bytes) -> None:
        self.responseHeaders.removeHeader(b"server")
        super().write(data)


class _Channel(http.HTTPChannel):
    """One connection, from its first request that isn't a WebSocket's to its last."""

    factory: HttpSite
    requestFactory = _Request
    _log = SILENCE
    transport: Any
    place: SocketPlace | None = None
    """Its share of all sockets; a trusted proxy's has none."""
    _is_refused = False

    def dataReceived(self, data: bytes) -> None:
        if not self._is_refused:
            super().dataReceived(data)

    def resetTimeout(self) -> None:
        """Bytes that trickle in buy no time: the deadline is for the whole head."""

    def lineReceived(self, line: bytes) -> None:
        if self._receivedHeaderSize + len(line) > self.totalHeadersSize:
            self._refuse(431, "Request header fields too large")
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._refuse(431, "Request header fields too large")

    def allHeadersReceived(self) -> None:
        if self.length == 0:
            super().allHeadersReceived()
        else:
            self._refuse(413, "Requests have no body here")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.capacity.closed(self.place)
        super().connectionLost(reason)

    def give_way(self) -> None:
        """Close: somebody else needs the place."""
        self.forceAbortClient()

    def checkPersistence(self, request: http.Request, version: bytes) -> bool:
        """Twisted goes on with what was pipelined while nobody reads the replies; here, that ends the connection."""
        return not self._waitingForTransport and super().checkPersistence(request, version)

    def loseConnection(self) -> None:
        """Whoever reads no reply does not keep the connection by that."""
        if self._abortingCall is None:
            self._abortingCall = self.callLater(self.abortTimeout, self.forceAbortClient)
        super().loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._refuse(400, "Bad request")

    def _refuse(self, status: int, error: str) -> None:
        """Answer at once, and listen no more."""
        self.transport.write(json_reply(status, {"error": error}, self.factory.hsts(self.transport)))
        self._is_refused = True
        self.loseConnection()


class HttpSite(Site):
    """The HTTP server. Its connections take their places in ``capacity`` over from those who hand them to it."""

    displayTracebacks = False
    noisy = False

    def __init__(
        self, root: IResource, capacity: Capacity, settings: Settings, reactor: IReactorTime
    ) -> None:
        super().__init__(root, timeout=IDLE_SECONDS, reactor=reactor)
        self.capacity = capacity
        self._settings = settings

    def hsts(self, transport: object) -> dict[bytes, bytes]:
        """The header that binds browsers to TLS, for a reply by TLS (RFC 6797 section 7); empty where it is off."""
        if self._settings.hsts and ISSLTransport.providedBy(transport):
            return {b"Strict-Transport-Security": b"max-age=%d" % self._settings.hsts}
        return {}

    def buildProtocol(self, addr: IAddress | None) -> Any:
        channel: Any = _Channel()
        channel.factory = channel.site = self
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.timeOut
        return channel

    def log(self, request: http.Request) -> None:
        """No access log: who asked for which Remote ID is nobody's business."""
