"""``/ws`` for requests that the HTTP server had to read: on a kept connection, or written in an unusual way."""

from __future__ import annotations

from typing import Any

from twisted.web.server import NOT_DONE_YET, Request

from ma_signaling.http.resource import Page, refuse, reply
from ma_signaling.transport import request_head
from ma_signaling.transport.factory import SignalingFactory
from ma_signaling.transport.first_request import admit, begin_websocket
from ma_signaling.transport.http_reply import Refusal
from ma_signaling.transport.request_head import RequestHead


class WebSocketEntry(Page):
    """Lets a WebSocket go on with the connection of a request that asks for one."""

    factory: SignalingFactory

    def render_GET(self, request: Request) -> bytes | int:
        fields = {name.lower(): list(values) for name, values in request.requestHeaders.getAllRawHeaders()}
        head = RequestHead(request.method, request_head.WEBSOCKET_PATH, fields)
        if not head.wants_websocket:
            request.setHeader(b"Upgrade", b"websocket")
            return reply(request, 426, {"error": "Expected WebSocket"})
        channel: Any = request.channel
        transport = channel.transport
        client = admit(self.factory, transport, head, channel.place)
        if isinstance(client, Refusal):
            channel.persistent = False
            request.setHeader(b"Connection", b"close")
            return refuse(request, client)
        lines = [b"%b %b %b" % (head.method, head.path, request.clientproto)]
        lines += [b"%b: %b" % (name, value) for name, values in fields.items() for value in values]
        transport.unregisterProducer()
        transport.resumeProducing()
        received = b"\r\n".join([*lines, b"", b""])
        begin_websocket(self.factory, channel, client, channel.place, head, received)
        return NOT_DONE_YET
