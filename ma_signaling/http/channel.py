"""HTTP as strangers may speak it: bounded heads, no bodies, JSON for what isn't understood, no version banner.

Twisted's channel and its requests send the replies. Heads are read by the same ``HeadReader`` as a connection's first.
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
"""Requests of one connection that are answered in one turn of the loop; each takes as long as some ten frames."""

IDLE_SECONDS = 30
"""What a connection has between two requests, and for the head of the next."""

UNLIMITED_PATHS = (b"/health", b"/ready")
"""Paths that may be asked for at any rate: monitoring must not be told that a server is down that is busy."""


class HttpRequest(Request):
    """A request, with the head that it was read from; its reply has this server's headers."""

    head: RequestHead

    def process(self) -> None:
        for name, value in {**COMMON_HEADERS, **self.channel.factory.hsts(self.channel.transport)}.items():
            self.setHeader(name, value)
        if self.path == b"*":
            # Twisted would answer ``OPTIONS *`` by itself.
            self.path = b"/*"
        super().process()

    def write(self, data: bytes) -> None:
        self.responseHeaders.removeHeader(b"server")
        super().write(data)


@implementer(IHalfCloseableProtocol)
class HttpChannel(http.HTTPChannel):
    """One connection, from its first request that isn't a WebSocket's to its last."""

    factory: HttpSite
    timeOut: Any
    _log = SILENCE
    transport: Any
    place: SocketPlace | None = None
    """Its share of all sockets; a trusted proxy's has none."""
    deadline: dict[Waiting, Any] | None = None
    is_put_off = False
    """Whether requests that were received wait for another turn."""
    is_half_closed = False
    """Whether nothing follows those that wait."""
    _is_refused = False
    _is_reading = False
    _is_lost = False

    def __init__(self) -> None:
        super().__init__()
        self.reader = HeadReader()

    def connectionMade(self) -> None:
        super().connectionMade()
        # The first head of a connection that nobody has read from.
        self.factory.deadlines.set(self, HEAD_SECONDS)

    def begin(self, head: RequestHead, rest: bytes) -> None:
        """Answer a connection's first request, and go on with what followed it."""
        self.reader.feed(rest)
        self._serve(head)
        self._serve_more()

    def dataReceived(self, data: bytes) -> None:
        if self._is_refused or not self.persistent:
            return
        self.reader.feed(data)
        self._serve_more()
        if self._handlingRequest and self.persistent and len(self.reader) > HEAD_BYTES:
            # Until the reply is out; ``requestDone`` resumes.
            self._networkProducer.pauseProducing()

    def setLineMode(self, extra: bytes = b"") -> None:
        """Go on with the next request: Twisted calls this when one is done."""
        self._serve_more()

    def _serve_more(self) -> None:
        """Answer a turn's share of the requests, for as long as each is answered at once."""
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
        """Go on in the next turn, with other connections in between; until then, read nothing."""
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
        # What was pipelined while nobody reads the replies isn't answered; it ends the connection.
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
        """Close without an answer; the client of a trusted proxy gets one, for the proxy would be blamed."""
        if self.place is None:
            self._refuse(refusal(rate_limited(wait)), is_head=is_head)
        else:
            self._is_refused = True
            self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        """No more requests follow: close once what was asked is answered."""
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
        """Close: somebody else needs the place."""
        self.forceAbortClient()

    def setTimeout(self, seconds: float | None) -> float | None:
        """Set a deadline, which passes only after all was read that the socket holds; returns the previous one."""
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
        """Bytes that trickle in buy no time: the deadline is for the whole head."""

    def loseConnection(self) -> None:
        """Close, and abort if the client doesn't read its replies in time."""
        if self._abortingCall is None:
            self._abortingCall = self.callLater(self.abortTimeout, self.forceAbortClient)
        super().loseConnection()

    def _refuse(self, refused: Refusal, *, is_head: bool) -> None:
        """Answer at once, and listen no more."""
        self._is_refused = True
        hsts = self.factory.hsts(self.transport)
        self.transport.write(raw_reply(refused, hsts, is_head=is_head))
        self.loseConnection()


class HttpSite(Site):
    """The HTTP server. Its connections take their places in ``capacity`` over from those who hand them to it."""

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
        """``charge`` returns the seconds until a request may come, given its transport and head; 0: it may.

        It isn't asked about GET and HEAD for the ``unlimited_paths``.
        """
        super().__init__(root, timeout=IDLE_SECONDS, reactor=reactor)
        self.capacity = capacity
        self.report = report
        self.charge = charge
        self.deadlines = deadlines
        # Not that of WebSockets, which would wait for pipelines.
        self.put_off = PutOff(reactor)
        self._settings = settings
        self._unlimited_paths = unlimited_paths

    def wait_of(self, transport: object, head: RequestHead) -> float:
        """Charge a request, unless its path is unlimited; return the seconds until it may come, 0 where it may now."""
        if head.target.partition(b"?")[0] in self._unlimited_paths and head.method in (b"GET", b"HEAD"):
            return 0.0
        return self.charge(transport, head)

    def charged(self, refused: Refusal, transport: object, place: SocketPlace | None) -> Refusal:
        """Charge a request that is ``refused``; return how to answer it: so, or that there were too many.

        It is charged to whom a trusted proxy speaks for, whose socket has no ``place``; others have paid with theirs.
        """
        if refused.uncharged is None or place is not None:
            return refused
        wait = self.wait_of(transport, refused.uncharged)
        return refused if wait <= 0 else refusal(rate_limited(wait))

    def hsts(self, transport: object) -> dict[bytes, bytes]:
        """Return the header that binds browsers to TLS, for replies by TLS (RFC 6797 section 7), if there is one."""
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
        """Return what reads a new connection."""
        return HttpChannel()

    def log(self, request: http.Request) -> None:
        """No access log: who asked for which Remote ID is nobody's business."""
