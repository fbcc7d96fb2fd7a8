"""``/ws`` for requests that reach the HTTP server: later ones of a connection, or in a form like ``/%77s``."""

from __future__ import annotations

from typing import Any

from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import Page, refuse
from ma_signaling.transport.factory import SignalingFactory
from ma_signaling.transport.first_request import admit, begin_websocket
from ma_signaling.transport.http_reply import Refusal
from ma_signaling.transport.sockets import peer_address


class WebSocketEntry(Page):
    """Opens a WebSocket on the connection of a request that asks for one."""

    factory: SignalingFactory

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self if path == b"" and not request.postpath else super().getChild(path, request)

    def render_GET(self, request: HttpRequest) -> bytes | int:
        channel: Any = request.channel
        transport = channel.transport
        client = admit(self.factory, peer_address(transport), request.head, channel.place)
        if isinstance(client, Refusal):
            channel.persistent = False
            request.setHeader(b"Connection", b"close")
            return refuse(request, client)
        transport.unregisterProducer()
        transport.resumeProducing()
        rest = channel.reader.take_rest()
        protocol = begin_websocket(self.factory, channel, client, channel.place, request.head, rest)
        if channel.is_half_closed:
            # The transport reports this only once, and has done so.
            protocol.readConnectionLost()
        return NOT_DONE_YET
