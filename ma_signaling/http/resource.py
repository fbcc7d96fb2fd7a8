"""What every resource of the HTTP tree has in common: methods, JSON, errors, and who asks."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from ma_signaling.core.peer import ClientAddress
from ma_signaling.http.channel import HttpRequest
from ma_signaling.transport.client_address import ClientAddresses
from ma_signaling.transport.http_reply import Refusal
from ma_signaling.transport.sockets import peer_address

CORS_HEADERS = {
    b"Access-Control-Allow-Methods": b"GET, OPTIONS",
    b"Access-Control-Allow-Headers": b"Content-Type",
}


class Page(Resource):
    """A resource for GET and HEAD; OPTIONS is answered anywhere, any other method is not allowed."""

    def render(self, request: HttpRequest) -> bytes | int:
        if request.method == b"OPTIONS":
            request.setResponseCode(204)
            for name, value in CORS_HEADERS.items():
                request.setHeader(name, value)
            return without_content(request)
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"Allow", b"GET, HEAD, OPTIONS")
            return reply(request, 405, {"error": "Method not allowed"})
        body = self.render_GET(request)
        if request.method == b"HEAD" and isinstance(body, bytes):
            request.setHeader(b"Content-Length", b"%d" % len(body))
            return b""
        return body

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return NotFound()

    def render_GET(self, request: HttpRequest) -> bytes | int:
        return reply(request, 404, {"error": "Not found"})


def without_content(request: HttpRequest) -> int:
    """Send a reply whose status allows no content: Twisted adds a Content-Length to what is returned.

    A 204 must not have one, and a 304 no other than the 200 would have (RFC 9110 section 8.6).
    """
    request.finish()
    return NOT_DONE_YET


class NotFound(Page):
    """Nothing is here."""


def reply(request: HttpRequest, status: int, body: dict[str, object]) -> bytes:
    """Answer with JSON."""
    request.setResponseCode(status, HTTPStatus(status).phrase.encode())
    request.setHeader(b"Content-Type", b"application/json")
    return orjson.dumps(body)


def refuse(request: HttpRequest, refused: Refusal) -> bytes:
    """Answer that it is refused."""
    for field, value in refused.headers.items():
        request.setHeader(field, value)
    return reply(request, refused.status, refused.body)


def client_of(request: HttpRequest, addresses: ClientAddresses) -> ClientAddress:
    """Return whom a request comes from."""
    return addresses.of(peer_address(request.transport), request.head.header)
