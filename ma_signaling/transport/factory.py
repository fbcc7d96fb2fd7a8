"""The factory of all connections, and what they share: hub, site, keep-alive, and bounds on all of them together."""

from __future__ import annotations

from typing import Any, Protocol, cast

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from zope.interface import implementer

from ma_signaling.config.settings import Settings
from ma_signaling.core.capacity import SocketPlace, max_sockets
from ma_signaling.core.events import Report
from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import ClientAddress
from ma_signaling.transport.client_address import ClientAddresses
from ma_signaling.transport.fast_path import ping_frames, with_fast_path
from ma_signaling.transport.first_request import FirstRequest
from ma_signaling.transport.http_reply import Refusal
from ma_signaling.transport.protocol import SignalingProtocol
from ma_signaling.transport.reading import PutOff
from ma_signaling.transport.send_buffer import SendBuffers
from ma_signaling.transport.timers import Deadlines, KeepAlive
from ma_signaling.transport.unfinished import UnfinishedMessages


class HttpServer(Protocol):
    """Answers requests that don't ask for a WebSocket."""

    def buildProtocol(self, addr: IAddress | None) -> Any: ...

    def hsts(self, transport: object) -> dict[bytes, bytes]: ...

    def charged(self, refused: Refusal, transport: object, place: SocketPlace | None) -> Refusal: ...


@implementer(IProtocolNegotiationFactory)
class SignalingFactory(WebSocketServerFactory):
    """Makes a ``FirstRequest`` for each connection, and a ``SignalingProtocol`` for each WebSocket."""

    noisy = False

    def __init__(
        self,
        hub: Hub,
        settings: Settings,
        site: HttpServer,
        addresses: ClientAddresses,
        report: Report,
        deadlines: Deadlines,
        reactor: IReactorTime,
    ) -> None:
        super().__init__(server="", reactor=reactor)
        self.hub = hub
        self.settings = settings
        self.site = site
        self.put_off = PutOff(reactor)
        self.keepalive = KeepAlive(reactor, settings.ping_interval, ping_frames)
        self.addresses = addresses
        self.report = report
        self.deadlines = deadlines
        self.send_buffers = SendBuffers(hub.capacity)
        self.unfinished = UnfinishedMessages()
        self.open = 0
        self._all_closed: Deferred[None] | None = None
        self.reconfigure()

    def reconfigure(self) -> None:
        """Apply changed settings; open connections keep the old ones."""
        max_bytes = self.settings.max_message_bytes
        # In one call: Autobahn resets some options to their defaults if they aren't named.
        self.setProtocolOptions(
            maxFramePayloadSize=max_bytes,
            maxMessagePayloadSize=max_bytes,
            failByDrop=False,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
        )
        self.hub.capacity.allow(max_sockets(self.settings.max_connections))
        self.addresses.reconfigure()
        self.protocol = (
            with_fast_path(SignalingProtocol, self) if self.settings.fast_path else SignalingProtocol
        )

    def acceptableProtocols(self) -> list[bytes]:
        """Return the protocols for ALPN (RFC 7301): without any, Twisted rejects clients that offer ALPN."""
        return [b"http/1.1"]

    def buildProtocol(self, addr: IAddress | None) -> FirstRequest:
        """Return the protocol that reads the first request of a new connection."""
        return FirstRequest(self)

    def build_websocket(self, address: ClientAddress, place: SocketPlace | None) -> SignalingProtocol:
        """Return the protocol for a connection of ``address`` whose request for a WebSocket was admitted."""
        protocol: Any = self.protocol()
        protocol.factory = self
        protocol.address, protocol.place = address, place
        if place is not None:
            place.item = protocol
        return cast("SignalingProtocol", protocol)

    def opened(self, protocol: SignalingProtocol) -> None:
        """Count a WebSocket that has opened, and keep it alive."""
        self.open += 1
        self.keepalive.add(protocol)

    def closed(self, protocol: SignalingProtocol) -> None:
        """Stop counting a WebSocket whose transport is gone."""
        self.open -= 1
        self.keepalive.remove(protocol)
        if self.open == 0 and self._all_closed is not None:
            self._all_closed.callback(None)
            self._all_closed = None

    def all_closed(self) -> Deferred[None]:
        """Return a Deferred that fires when no WebSocket is left."""
        waiting: Deferred[None] = Deferred()
        if self.open:
            self._all_closed = waiting
        else:
            waiting.callback(None)
        return waiting
