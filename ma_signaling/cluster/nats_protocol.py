"""One connection to a NATS server, in NATS' own protocol of lines.

https://docs.nats.io/reference/reference-protocols/nats-protocol describes it. Of that, this is what a node needs: being
let in, by TLS where the server wants it; publishing and subscribing; hearing that a subject has no subscriber (*no
responders*); and pings, by which either side learns that the other one is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import orjson
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ma_signaling import __version__
from ma_signaling.cluster.nats_options import Login

PING_SECONDS = 2.0
SILENT_PINGS = 2
"""A server that hasn't answered so many pings in a row when the next one is due is gone."""

MAX_LINE = 64 * 1024
"""Bytes of a line; the longest is ``INFO``, with the addresses of all servers."""

_NOBODY = b"NATS/1.0 503"
"""The headers of NATS's answer to a message with a reply subject that nobody has subscribed to."""


class User(Protocol):
    """Whoever uses a connection."""

    def let_in(self, connection: NatsConnection) -> None:
        """The server takes and sends messages from now on."""

    def received(self, payload: bytes) -> None:
        """A message has come."""

    def no_subscribers(self, reply: str) -> None:
        """Nobody has subscribed to the subject of what was published with ``reply``."""

    def drained(self) -> None:
        """More can be written after the connection was full."""

    def lost(self, problem: str) -> None:
        """The connection is gone, or the server has not let it in."""


def publish(subject: str, reply: str, payload: bytes) -> bytes:
    """Return the command that sends a message."""
    to = f"{subject} {reply}" if reply else subject
    return b"PUB %b %d\r\n%b\r\n" % (to.encode(), len(payload), payload)


def subscribe(subject: str, number: int) -> bytes:
    """Return the command that subscribes to a subject; the subscription has a number of the client's."""
    return f"SUB {subject} {number}\r\n".encode()


def unsubscribe(number: int) -> bytes:
    """Return the command that ends a subscription."""
    return b"UNSUB %d\r\n" % number


@implementer(IPushProducer)
class NatsConnection(TwistedProtocol):
    """It ends itself when the server doesn't answer."""

    transport: Any

    def __init__(
        self, user: User, login: Login, host: str, reactor: IReactorTime, *, needs_tls: bool
    ) -> None:
        """``host`` is the name that the server's certificate must have; ``needs_tls``: nothing is said without it."""
        self.max_payload = 0
        """Bytes that the server takes in a message."""
        self.is_full = False
        """Nothing more is to be written before ``drained``."""
        self._user = user
        self._login = login
        self._host = host
        self._reactor = reactor
        self._needs_tls = needs_tls
        self._rest = b""
        self._is_let_in = False
        self._problem = ""
        self._unanswered = 0
        self._pongs: deque[Callable[[], None] | None] = deque()

    def ping(self, answered: Callable[[], None] | None = None) -> None:
        """Ask for an answer: whatever was written before has reached the server by then."""
        self._pongs.append(answered)
        self.transport.write(b"PING\r\n")

    def abort(self, problem: str) -> None:
        """End the connection at once; what wasn't written by now is lost."""
        self._problem = self._problem or problem
        self.transport.abortConnection()

    # From the transport

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self._timer = self._reactor.callLater(PING_SECONDS, self._tick)

    def dataReceived(self, data: bytes) -> None:
        try:
            self._take(self._rest + data)
        except (ValueError, KeyError) as problem:
            self.abort(f"it sends what can't be read: {problem!r}")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._timer.cancel()
        if not self._problem:
            is_plain = isinstance(reason.value, ConnectionDone | ConnectionAborted)
            self._problem = "it has closed the connection" if is_plain else reason.getErrorMessage()
        self._user.lost(self._problem)

    def pauseProducing(self) -> None:
        self.is_full = True

    def resumeProducing(self) -> None:
        self.is_full = False
        self._user.drained()

    def stopProducing(self) -> None: ...

    # From the server

    def _take(self, data: bytes) -> None:
        start = 0
        while (end := data.find(b"\r\n", start)) >= 0:
            line = data[start:end]
            following = end + 2
            if line.startswith((b"MSG ", b"HMSG ")):
                following = end + 4 + _size(line)
                if following > len(data):
                    break
                self._take_message(line, data[end + 2 : following - 2])
            else:
                self._take_line(line)
            start = following
        self._rest = data[start:]
        if end < 0 and len(self._rest) > MAX_LINE:
            raise ValueError("no end of a line")

    def _take_message(self, line: bytes, content: bytes) -> None:
        if line.startswith(b"M"):
            self._user.received(content)
        elif content.startswith(_NOBODY):
            self._user.no_subscribers(line.split(b" ", 2)[1].decode())

    def _take_line(self, line: bytes) -> None:
        what, _, rest = line.partition(b" ")
        match what:
            case b"PING":
                self.transport.write(b"PONG\r\n")
            case b"PONG":
                self._unanswered = 0
                answered = self._pongs.popleft() if self._pongs else None
                if answered is not None:
                    answered()
            case b"INFO":
                self._take_info(rest)
            case b"-ERR" if not self._is_let_in:
                self.abort(rest.decode(errors="replace").strip("'"))

    def _take_info(self, rest: bytes) -> None:
        """Say who this is; later ones tell of other servers only."""
        info = orjson.loads(rest)
        self.max_payload = info["max_payload"]
        if self._is_let_in or self._pongs:
            return
        if self._needs_tls and not (info.get("tls_required") or info.get("tls_available")):
            self.abort("it doesn't speak TLS")
            return
        if self._needs_tls or info.get("tls_required"):
            self.transport.startTLS(self._login.tls(self._host))
        about = {"verbose": False, "pedantic": False, "lang": "python", "version": __version__, "protocol": 1}
        about |= {"name": "ma-signaling", "echo": False, "headers": True, "no_responders": True}
        self.transport.write(b"CONNECT " + orjson.dumps(about | self._login.answer(info)) + b"\r\n")
        self.ping(self._let_in)

    def _let_in(self) -> None:
        self._is_let_in = True
        self._user.let_in(self)

    def _tick(self) -> None:
        self._timer = self._reactor.callLater(PING_SECONDS, self._tick)
        if self._unanswered >= SILENT_PINGS:
            self.abort("it doesn't answer")
            return
        self._unanswered += 1
        if self._is_let_in:
            self.ping()


def _size(line: bytes) -> int:
    """Return how long the message is that follows this line."""
    return int(line[line.rindex(b" ") :])
