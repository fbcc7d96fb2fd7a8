"""The common part of all HTTP resources: methods, JSON, errors, and the client."""

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
    """A resource for GET and HEAD. OPTIONS is always answered, other methods aren't allowed. By default a 404."""

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
    """Send a reply without content, and return NOT_DONE_YET: Twisted would add a Content-Length to a returned body.

    A 204 must not have one, and a 304 none that differs from that of the 200 (RFC 9110 section 8.6).
    """
    request.finish()
    return NOT_DONE_YET


class NotFound(Page):
    """A path with nothing but its children."""


def reply(request: HttpRequest, status: int, body: dict[str, object]) -> bytes:
    """Set the status and content type of a JSON reply; return its body."""
    request.setResponseCode(status, HTTPStatus(status).phrase.encode())
    request.setHeader(b"Content-Type", b"application/json")
    return orjson.dumps(body)


def refuse(request: HttpRequest, refused: Refusal) -> bytes:
    """Set the status and headers of a refusal; return its body."""
    for field, value in refused.headers.items():
        request.setHeader(field, value)
    return reply(request, refused.status, refused.body)


def client_of(request: HttpRequest, addresses: ClientAddresses) -> ClientAddress:
    """Return the client that a request comes from."""
    return addresses.of(peer_address(request.transport), request.head.header)
