"""``/app/``: the files of Music Assistant's web app, compressed, and cached for as long as their names allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import Page, without_content
from ma_signaling.http.static_files import is_known, takes_gzip
from ma_signaling.http.web_app import AppFile

SEND_SECONDS = 120.0
"""How long a client may take for one file before its connection is closed: it may not be reading at all."""

PIECE = 65536

_POLICY = (
    b"default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; "
    b"style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' blob: data: https:; "
    b"media-src 'self' blob: data: https:; connect-src 'self' blob: data:; manifest-src 'self'; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Only the web app's own code; images and sounds also from music services. Vuetify writes inline styles, and code for
recording and drawing is loaded from blobs."""

_HEADERS = {
    b"Content-Security-Policy": _POLICY,
    b"Cross-Origin-Opener-Policy": b"same-origin-allow-popups",
}


class WebApp(Page):
    """Everything below ``/app``, which itself redirects to ``/app/``, since the page's URLs are relative to that."""

    isLeaf = True

    def __init__(self, files: Mapping[str, AppFile]) -> None:
        super().__init__()
        self._files = files

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self

    def render_GET(self, request: HttpRequest) -> bytes | int:
        if not request.postpath:
            query = request.uri.partition(b"?")[2]
            request.setResponseCode(308, b"Permanent Redirect")
            request.setHeader(b"Location", b"app/" + (b"?" + query if query else b""))
            return b""
        path = b"/".join(request.postpath).decode("latin-1")
        file = self._files.get(path or "index.html")
        if file is None:
            return super().render_GET(request)
        return _send(request, file)


def _send(request: HttpRequest, file: AppFile) -> bytes | int:
    body, etag = file.body, b'"%b"' % file.etag.encode()
    if file.compressed is not None:
        request.setHeader(b"Vary", b"Accept-Encoding")
        if takes_gzip(request.head):
            request.setHeader(b"Content-Encoding", b"gzip")
            # Each representation has a tag of its own (RFC 9110 section 8.8.3).
            body, etag = file.compressed, b'"%b-gzip"' % file.etag.encode()
    request.setHeader(b"Content-Type", file.type.encode())
    request.setHeader(b"ETag", etag)
    request.setHeader(
        b"Cache-Control", b"public, max-age=31536000, immutable" if file.is_final else b"no-cache"
    )
    if file.type.startswith("text/html"):
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
    if is_known(request.head, etag):
        request.setResponseCode(304, b"Not Modified")
        request.responseHeaders.removeHeader(b"content-encoding")
        return without_content(request)
    if request.method == b"HEAD":
        return body
    return _stream(request, body)


def _stream(request: HttpRequest, body: bytes) -> int:
    """Send ``body`` as fast as the client reads, so that little of it is buffered."""
    request.setHeader(b"Content-Length", b"%d" % len(body))
    channel: Any = request.channel
    deadline = channel.callLater(SEND_SECONDS, channel.forceAbortClient)

    def over(_: object) -> None:
        if deadline.active():
            deadline.cancel()

    request.notifyFinish().addBoth(over)
    _Sending(request, body).resumeProducing()
    return NOT_DONE_YET


@implementer(IPushProducer)
class _Sending:
    """Writes a body in pieces until the transport pauses it, and goes on when the transport resumes it."""

    def __init__(self, request: HttpRequest, body: bytes) -> None:
        self._request = request
        self._rest = memoryview(body)
        self._is_paused = self._is_writing = False
        request.registerProducer(self, True)

    def resumeProducing(self) -> None:
        self._is_paused = False
        if self._is_writing:
            return
        self._is_writing = True
        while self._rest and not self._is_paused:
            piece, self._rest = bytes(self._rest[:PIECE]), self._rest[PIECE:]
            self._request.write(piece)
        self._is_writing = False
        if not self._rest and not self._is_paused:
            self._is_paused = True
            self._request.unregisterProducer()
            self._request.finish()

    def pauseProducing(self) -> None:
        self._is_paused = True

    def stopProducing(self) -> None:
        self._is_paused = True
