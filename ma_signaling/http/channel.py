"""HTTP for strangers: bounded heads, no bodies, JSON errors, no version banner.

Twisted's channel and requests send the replies. All heads are read by a ``HeadReader``, as a connection's first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IReactorTime, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import Request, Site
from zope.interface import implementer

from ma_signaling.config.settings import Settings
from ma_signaling.core.capacity import Capacity, SocketPlace
from ma_signaling.core.errors import rate_limited
from ma_signaling.core.events import Event, Report
from ma_signaling.monitoring.muted_log import SILENCE
from ma_signaling.transport.first_request import HEAD_SECONDS
from ma_signaling.transport.http_reply import COMMON_HEADERS, Refusal, raw_reply, refusal
from ma_signaling.transport.reading import PutOff
from ma_signaling.transport.request_head import HEAD_BYTES, HeadReader, RequestHead, WrongProtocol
from ma_signaling.transport.timers import Deadlines, Waiting

MAX_REQUESTS = 16
"""How many requests of one connection are answered in one turn; each takes as long as some ten frames."""

IDLE_SECONDS = 30
"""Time from one request to the end of the next one's head."""

UNLIMITED_PATHS = (b"/health", b"/ready")
"""Paths without a rate limit: monitoring must not take a busy server for a dead one."""


class HttpRequest(Request):
    """A request, with the head that it was read from; its reply has this server's headers."""

    head: RequestHead

    def process(self) -> None:
        for name, value in {**COMMON_HEADERS, **self.channel.factory.hsts(self.channel.transport)}.items():
            self.setHeader(name, value)
        if self.path == b"*":
            # Otherwise Twisted would answer ``OPTIONS *`` itself.
            self.path = b"/*"
        super().process()

    def write(self, data: bytes) -> None:
        self.responseHeaders.removeHeader(b"server")
        super().write(data)


@implementer(IHalfCloseableProtocol)
class HttpChannel(http.HTTPChannel):
    """One HTTP connection, from its first request on."""

    factory: HttpSite
    timeOut: Any
    _log = SILENCE
    transport: Any
    place: SocketPlace | None = None
    """Its place among all sockets; a trusted proxy's has none."""
    deadline_queue: dict[Waiting, Any] | None = None
    is_put_off = False
    """Whether received requests wait for a later turn."""
    is_half_closed = False
    """Whether the peer has ended its side while requests wait."""
    _is_refused = False
    _is_reading = False
    _is_lost = False

    def __init__(self) -> None:
        super().__init__()
        self.reader = HeadReader()

    def connectionMade(self) -> None:
        super().connectionMade()
        # For the first head, where no ``FirstRequest`` has read one.
        self.factory.deadlines.set(self, HEAD_SECONDS)

    def begin(self, head: RequestHead, rest: bytes) -> None:
        """Answer a connection's first request, then handle ``rest``, the bytes after it."""
        self.reader.feed(rest)
        self._serve(head)
        self._serve_more()

    def dataReceived(self, data: bytes) -> None:
        if self._is_refused or not self.persistent:
            return
        self.reader.feed(data)
        self._serve_more()
        if self._handlingRequest and self.persistent and len(self.reader) > HEAD_BYTES:
            # Until the reply is sent; ``requestDone`` resumes.
            self._networkProducer.pauseProducing()

    def setLineMode(self, extra: bytes = b"") -> None:
        """Go on with the next request; Twisted calls this when one is done."""
        self._serve_more()

    def _serve_more(self) -> None:
        """Answer a turn's share of the requests, as long as each is answered immediately."""
        if self._is_reading or self.is_put_off:
            return
        self._is_reading = True
        left = MAX_REQUESTS
        while not (self._handlingRequest or self._is_refused):
            if not left:
                self._put_off()
                break
            left -= 1
            head = self.reader.next()
            if isinstance(head, RequestHead):
                self._serve(head)
            elif isinstance(head, Refusal):
                charged = self.factory.charged(head, self.transport, self.place)
                self._refuse(charged, is_head=self.reader.is_head)
            elif isinstance(head, WrongProtocol):
                self._is_refused = True
                self.factory.report(Event.WRONG_PROTOCOL, mistake=head.mistake)
                self.loseConnection()
            else:
                break
        self._is_reading = False

    def _put_off(self) -> None:
        """Go on in a later turn, after other connections; until then, read nothing."""
        self.is_put_off = True
        self._networkProducer.pauseProducing()
        self.factory.put_off.add(0, self._go_on)

    def _go_on(self) -> None:
        self.is_put_off = False
        if self._is_lost:
            return
        self._serve_more()
        if self.is_put_off:
            return
        if self.is_half_closed:
            self.readConnectionLost()
        elif not (self._handlingRequest or self._waitingForTransport):
            self._networkProducer.resumeProducing()

    def _serve(self, head: RequestHead) -> None:
        wait = self.factory.wait_of(self.transport, head)
        if wait > 0:
            self._exhausted(wait, is_head=head.method == b"HEAD")
            return
        self._handlingRequest = True
        self._savedTimeOut = self.setTimeout(None)
        request = HttpRequest(self, len(self.requests))
        self.requests.append(request)
        request.head = head
        request.requestHeaders = Headers(head.fields)
        # A pipelined request isn't answered while the client doesn't read replies; it ends the connection.
        self.persistent = (
            head.minor_version > 0
            and not head.lists(b"connection", b"close")
            and not self._waitingForTransport
        )
        if not self.persistent:
            request.setHeader(b"Connection", b"close")
        request.gotLength(0)
        request.requestReceived(head.method, head.target, b"HTTP/1.%d" % head.minor_version)

    def _exhausted(self, wait: float, *, is_head: bool) -> None:
        """Close without an answer; a trusted proxy gets one, or it would be blamed."""
        if self.place is None:
            self._refuse(refusal(rate_limited(wait)), is_head=is_head)
        else:
            self._is_refused = True
            self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        """Close once all requests are answered, since no more can follow."""
        if self.is_put_off:
            self.is_half_closed = True
            return
        self.persistent = False
        if not self._handlingRequest:
            self.loseConnection()

    def writeConnectionLost(self) -> None: ...

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_lost = True
        self.factory.capacity.closed(self.place)
        super().connectionLost(reason)

    def give_way(self) -> None:
        """Close, because another socket needs the place."""
        self.forceAbortClient()

    def setTimeout(self, seconds: float | None) -> float | None:
        """Set a deadline, which passes only after the socket's content was read; return the previous one."""
        previous: float | None = self.timeOut
        self.timeOut = seconds
        if seconds is None:
            self.factory.deadlines.clear(self)
        else:
            self.factory.deadlines.set(self, seconds)
        return previous

    def deadline_passed(self) -> None:
        """Close a connection that has been idle for too long."""
        self.timeoutConnection()

    def resetTimeout(self) -> None:
        """Do nothing: the deadline is for the whole head, however slowly bytes arrive."""

    def loseConnection(self) -> None:
        """Close, and abort if the client doesn't read its replies in time."""
        if self._abortingCall is None:
            self._abortingCall = self.callLater(self.abortTimeout, self.forceAbortClient)
        super().loseConnection()

    def _refuse(self, refused: Refusal, *, is_head: bool) -> None:
        """Send a refusal immediately, and close."""
        self._is_refused = True
        hsts = self.factory.hsts(self.transport)
        self.transport.write(raw_reply(refused, hsts, is_head=is_head))
        self.loseConnection()


class HttpSite(Site):
    """The HTTP server. Its connections take over their places in ``capacity`` from ``FirstRequest``."""

    displayTracebacks = False
    noisy = False

    def __init__(
        self,
        root: IResource,
        capacity: Capacity,
        settings: Settings,
        report: Report,
        charge: Callable[[Any, RequestHead], float],
        deadlines: Deadlines,
        reactor: IReactorTime,
        unlimited_paths: Collection[bytes] = (),
    ) -> None:
        """``charge`` charges a request, given its transport and head; it returns 0, or the seconds until one may come.

        It isn't called for GET and HEAD of ``unlimited_paths``.
        """
        super().__init__(root, timeout=IDLE_SECONDS, reactor=reactor)
        self.capacity = capacity
        self.report = report
        self.charge = charge
        self.deadlines = deadlines
        # Not shared with WebSockets, which would have to wait for pipelines.
        self.put_off = PutOff(reactor)
        self._settings = settings
        self._unlimited_paths = unlimited_paths

    def wait_of(self, transport: object, head: RequestHead) -> float:
        """Charge a request, unless its path is unlimited; return 0, or the seconds until it may come."""
        if head.target.partition(b"?")[0] in self._unlimited_paths and head.method in (b"GET", b"HEAD"):
            return 0.0
        return self.charge(transport, head)

    def charged(self, refused: Refusal, transport: object, place: SocketPlace | None) -> Refusal:
        """Charge a request that is ``refused``; return that refusal, or another one if there were too many requests.

        Only requests of a trusted proxy, whose socket has no ``place``, are charged, to the address that it reports.
        """
        if refused.uncharged is None or place is not None:
            return refused
        wait = self.wait_of(transport, refused.uncharged)
        return refused if wait <= 0 else refusal(rate_limited(wait))

    def hsts(self, transport: object) -> dict[bytes, bytes]:
        """Return the HSTS header for replies by TLS (RFC 6797 section 7), if it is on."""
        if self._settings.hsts and ISSLTransport.providedBy(transport):
            return {b"Strict-Transport-Security": b"max-age=%d" % self._settings.hsts}
        return {}

    def buildProtocol(self, addr: IAddress | None) -> Any:
        channel: Any = self.new_channel()
        channel.factory = channel.site = self
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.timeOut
        return channel

    def new_channel(self) -> HttpChannel:
        """Return the protocol for a new connection."""
        return HttpChannel()

    def log(self, request: http.Request) -> None:
        """Write no access log: who asked for which Remote ID is private."""
