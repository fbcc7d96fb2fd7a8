"""A connection's first request: collect its head in time and in bounds, then go on with WebSocket or with HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ma_signaling.core.capacity import SocketPlace
from ma_signaling.core.errors import FULL
from ma_signaling.core.peer import ClientAddress
from ma_signaling.transport import request_head
from ma_signaling.transport.http_reply import Refusal, json_reply, refusal
from ma_signaling.transport.request_head import RequestHead
from ma_signaling.transport.sockets import hand_over, peer_address
from ma_signaling.transport.timers import Waiting

if TYPE_CHECKING:
    from ma_signaling.transport.factory import SignalingFactory

HEAD_SECONDS = 10.0
"""What a connection has for its first request line and headers."""

HEAD_BYTES = 16 * 1024

LINGER_SECONDS = 2.0
"""What a client that was refused has to read the reply."""


class FirstRequest(Protocol):
    """Reads the head of the first request; its successor on the same transport reads all else."""

    transport: Any
    deadline: dict[Waiting, float] | None = None
    _place: SocketPlace | None = None
    _is_refused = False

    def __init__(self, factory: SignalingFactory) -> None:
        self._factory = factory
        self._received = bytearray()

    def connectionMade(self) -> None:
        self._factory.deadlines.set(self, HEAD_SECONDS)
        if not self._factory.hub.capacity.accept():
            self._refuse(refusal(FULL))
            return
        key = self._factory.addresses.neighbour_key(peer_address(self.transport))
        if key is not None:
            self._place = self._factory.hub.accept(key, self)
            if self._place is None:
                self.give_way()

    def dataReceived(self, data: bytes) -> None:
        if self._is_refused:
            return
        searched = max(0, len(self._received) - 3)
        self._received += data
        end = self._received.find(b"\r\n\r\n", searched)
        if (len(self._received) if end < 0 else end) > HEAD_BYTES:
            self._refuse(Refusal(431, {"error": "Request header fields too large"}, {}))
        elif end >= 0:
            self._take(request_head.parse(bytes(self._received[:end])), bytes(self._received))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._factory.deadlines.clear(self)
        self._factory.hub.capacity.closed(self._place)

    def give_way(self) -> None:
        """Close without an answer: somebody else needs the place, or its address has none left."""
        self._is_refused = True
        self.transport.abortConnection()

    def deadline_passed(self) -> None:
        """Cut a client that is too slow with its request, or that does not read its refusal."""
        self.transport.abortConnection()

    def _take(self, head: RequestHead | None, received: bytes) -> None:
        if head is not None and head.wants_websocket:
            client = admit(self._factory, self.transport, head, self._place)
            if isinstance(client, Refusal):
                self._refuse(client)
            else:
                self._factory.deadlines.clear(self)
                begin_websocket(self._factory, self, client, self._place, head, received)
        else:
            self._factory.deadlines.clear(self)
            channel = self._factory.site.buildProtocol(self.transport.getPeer())
            channel.place = self._place
            if self._place is not None:
                self._place.item = channel
            hand_over(self, channel)
            channel.dataReceived(received)

    def _refuse(self, refused: Refusal) -> None:
        self._is_refused = True
        headers = {**refused.headers, **self._factory.site.hsts(self.transport)}
        self.transport.write(json_reply(refused.status, refused.body, headers))
        self.transport.loseConnection()
        self._factory.deadlines.set(self, LINGER_SECONDS)


def admit(
    factory: SignalingFactory, transport: Any, head: RequestHead, place: SocketPlace | None
) -> ClientAddress | Refusal:
    """Return whose the WebSocket will be that ``head`` asks for, or why it can't be had."""
    allowed, origins = factory.settings.allowed_origins, head.header(b"origin")
    if allowed and any(origin.decode("latin-1").lower() not in allowed for origin in origins):
        return Refusal(403, {"error": "Origin not allowed"}, {})
    client = factory.addresses.of(peer_address(transport), head.header)
    error = factory.hub.admit(client, place)
    return client if error is None else refusal(error)


def begin_websocket(
    factory: SignalingFactory,
    predecessor: Any,
    client: ClientAddress,
    place: SocketPlace | None,
    head: RequestHead,
    received: bytes,
) -> None:
    """Let a WebSocket go on with ``predecessor``'s transport: ``received`` begins with the request ``head``.

    The socket's ``place`` goes over to it.
    """
    protocol = factory.build_websocket(client, place)
    hand_over(predecessor, protocol)
    protocol.shake_hands(head, received)
