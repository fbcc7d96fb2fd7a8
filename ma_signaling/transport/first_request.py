"""A connection's first request: its head is read within bounds of time and size, then WebSocket or HTTP goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ma_signaling.core.capacity import SocketPlace
from ma_signaling.core.errors import WireError
from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress
from ma_signaling.transport import websocket_handshake
from ma_signaling.transport.http_reply import Refusal, raw_reply, refusal
from ma_signaling.transport.request_head import HeadReader, RequestHead, WrongProtocol
from ma_signaling.transport.sockets import hand_over, peer_address
from ma_signaling.transport.timers import Waiting

if TYPE_CHECKING:
    from ma_signaling.transport.factory import SignalingFactory
    from ma_signaling.transport.protocol import SignalingProtocol

HEAD_SECONDS = 10.0
"""Time for a connection's first request line and headers."""

LINGER_SECONDS = 2.0
"""Time for a refused client to read the reply."""


@implementer(IHalfCloseableProtocol)
class FirstRequest(Protocol):
    """Reads the head of the first request; its successor on the same transport reads everything else."""

    transport: Any
    deadline_queue: dict[Waiting, float] | None = None
    _place: SocketPlace | None = None
    is_put_off = False
    _peer: str | None
    _is_done = False

    def __init__(self, factory: SignalingFactory) -> None:
        self._factory = factory
        self._reader = HeadReader()

    def connectionMade(self) -> None:
        self._factory.deadlines.set(self, HEAD_SECONDS)
        self._peer = peer_address(self.transport)
        key = self._factory.addresses.socket_key(self._peer)
        if not self._factory.hub.capacity.accept():
            self._refuse(refusal(self._factory.hub.entrance.full(key)), is_head=False)
            return
        if key is not None:
            granted = self._factory.hub.entrance.accept(key, self)
            if isinstance(granted, WireError):
                self._refuse(refusal(granted), is_head=False)
            elif granted is None:
                self.give_way()
            else:
                self._place = granted

    def dataReceived(self, data: bytes) -> None:
        if self._is_done:
            return
        self._reader.feed(data)
        head = self._reader.next()
        if isinstance(head, Refusal):
            self._refuse_request(head, is_head=self._reader.is_head)
        elif isinstance(head, WrongProtocol):
            self._factory.report(Event.WRONG_PROTOCOL, mistake=head.mistake)
            self._close()
        elif head is not None:
            self._go_on(head)

    def readConnectionLost(self) -> None:
        """Close once everything is sent, since no request can follow."""
        self._close()

    def writeConnectionLost(self) -> None: ...

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._factory.deadlines.clear(self)
        self._factory.hub.capacity.closed(self._place)

    def give_way(self) -> None:
        """Close without an answer: another socket needs the place, or this one's address opens too many."""
        self._is_done = True
        self.transport.abortConnection()

    def deadline_passed(self) -> None:
        """Cut a client that is too slow to send its request, or to read its refusal."""
        self.transport.abortConnection()

    def _go_on(self, head: RequestHead) -> None:
        if not head.is_for_websocket:
            self._factory.deadlines.clear(self)
            channel = self._factory.site.buildProtocol(self.transport.getPeer())
            channel.place = self._place
            if self._place is not None:
                self._place.item = channel
            hand_over(self, channel)
            channel.begin(head, self._reader.take_rest())
            return
        client = admit(self._factory, self._peer, head, self._place)
        if isinstance(client, Refusal):
            self._refuse_request(client, is_head=False)
        else:
            self._factory.deadlines.clear(self)
            begin_websocket(self._factory, self, client, self._place, head, self._reader.take_rest())

    def _refuse_request(self, refused: Refusal, *, is_head: bool) -> None:
        charged = self._factory.site.charged(refused, self.transport, self._place)
        self._refuse(charged, is_head=is_head)

    def _refuse(self, refused: Refusal, *, is_head: bool) -> None:
        hsts = self._factory.site.hsts(self.transport)
        self.transport.write(raw_reply(refused, hsts, is_head=is_head))
        self._close()

    def _close(self) -> None:
        self._is_done = True
        self.transport.loseConnection()
        self._factory.deadlines.set(self, LINGER_SECONDS)


def admit(
    factory: SignalingFactory, peer: str | None, head: RequestHead, place: SocketPlace | None
) -> ClientAddress | Refusal:
    """Return the client of the WebSocket that ``head`` asks for, or the refusal; ``peer`` is the socket's address."""
    refused = websocket_handshake.refusal(head)
    if refused is not None:
        return refused._replace(uncharged=head)
    allowed, origins = factory.settings.allowed_origins, head.header(b"origin")
    if allowed and any(origin.decode("latin-1").lower() not in allowed for origin in origins):
        return Refusal(403, {"error": "Origin not allowed"}, {}, head)
    client = factory.addresses.of(peer, head.header)
    factory.addresses.report_unnamed(peer, head.header)
    error = factory.hub.entrance.admit(client, place)
    return client if error is None else refusal(error)


def begin_websocket(
    factory: SignalingFactory,
    predecessor: Any,
    client: ClientAddress,
    place: SocketPlace | None,
    head: RequestHead,
    rest: bytes,
) -> SignalingProtocol:
    """Open the WebSocket that ``head`` asks for, on ``predecessor``'s transport, and return it.

    It takes over the socket's ``place``, and handles ``rest``, the bytes after ``head``.
    """
    protocol = factory.build_websocket(client, place)
    hand_over(predecessor, protocol)
    protocol.begin(websocket_handshake.acceptance(head), rest)
    return protocol
