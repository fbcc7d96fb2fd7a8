"""The pages for browsers: ``/``, and the files in ``pages/``, read once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import NamedTuple

from twisted.web.resource import IResource

from ma_signaling import __version__
from ma_signaling.core.hub import Hub
from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import NotFound, Page, without_content
from ma_signaling.transport.request_head import RequestHead

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = {b"Content-Security-Policy": _POLICY, b"Cross-Origin-Opener-Policy": b"same-origin"}
"""Nothing inline, nothing from elsewhere, in nobody's frame. ``connect-src 'self'`` includes the WebSocket."""

_ASSETS = ("root.js", "style.css", "icon.svg", "doctor")
"""What is served below ``/assets``: files, and directories of files."""

_TAG = re.compile(rb'"[!#-~\x80-\xff]*"')
"""An entity tag, without the mark that says it is weak (RFC 9110 section 8.8.3)."""

_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}

_PAGES = files("ma_signaling.http") / "pages"


class Root(Page):
    """``/``: what this is, and what it offers."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub
        self._html = Template(read("root.html").body.decode())

    def getChild(self, path: bytes, request: HttpRequest) -> IResource:
        return self if path == b"" and not request.postpath else super().getChild(path, request)

    def render_GET(self, request: HttpRequest) -> bytes:
        counts = self._hub.counts()
        lines = [
            "Music Assistant Signaling Server",
            "",
            "Status: Running",
            f"Version: {__version__}",
            f"Connected servers: {counts['servers']}",
            f"Connected clients: {counts['clients']}",
            f"Pending clients: {counts['pendingClients']}",
            "",
            "Endpoints:",
            "  /ws - WebSocket connection",
            "  /health - Health check",
            "  /ready - Readiness check",
            "  /api/check/REMOTE-ID - Check if a Remote ID is online",
            "  /doctor - Connection check (for a browser)",
            "",
        ]
        request.setHeader(b"Vary", b"Accept")
        if b"text/html" in (request.getHeader(b"accept") or b""):
            _set_page_headers(request, b"text/html; charset=utf-8")
            return self._html.substitute(
                servers=counts["servers"],
                clients=counts["clients"],
                pending=counts["pendingClients"],
                version=__version__,
            ).encode()
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return "\n".join(lines).encode()


class PageFile(NamedTuple):
    """One file, ready to be sent."""

    body: bytes
    type: bytes
    etag: bytes


class File(Page):
    """A file for browsers, which ask each time whether theirs is still the latest."""

    def __init__(self, file: PageFile) -> None:
        super().__init__()
        self._file = file

    def render_GET(self, request: HttpRequest) -> bytes | int:
        _set_page_headers(request, self._file.type)
        request.setHeader(b"Cache-Control", b"no-cache")
        request.setHeader(b"ETag", self._file.etag)
        if is_known(request.head, self._file.etag):
            request.setResponseCode(304, b"Not Modified")
            return without_content(request)
        return self._file.body


def is_known(head: RequestHead, etag: bytes) -> bool:
    """Return whether If-None-Match names ``etag``: tags compare weakly there (RFC 9110 section 13.1.2)."""
    tags = b",".join(head.header(b"if-none-match"))
    return tags == b"*" or etag in _TAG.findall(tags)


def folder(entries: Mapping[str, PageFile | Mapping[str, PageFile]]) -> Page:
    """Return a resource with a child for each of these files, and for each directory of them."""
    resource = NotFound()
    for name, entry in entries.items():
        resource.putChild(name.encode(), File(entry) if isinstance(entry, PageFile) else folder(entry))
    return resource


def read(path: str) -> PageFile:
    """The file at ``path`` below ``pages/``."""
    return _read(_PAGES.joinpath(path))


def read_assets() -> dict[str, PageFile | dict[str, PageFile]]:
    """Everything below ``/assets``, by name."""
    return {name: _read_tree(_PAGES.joinpath(name)) for name in _ASSETS}


def _set_page_headers(request: HttpRequest, type: bytes) -> None:
    request.setHeader(b"Content-Type", type)
    for name, value in _HEADERS.items():
        request.setHeader(name, value)


def _read_tree(entry: Traversable) -> PageFile | dict[str, PageFile]:
    return {each.name: _read(each) for each in entry.iterdir()} if entry.is_dir() else _read(entry)


def _read(file: Traversable) -> PageFile:
    body = file.read_bytes()
    _, dot, suffix = file.name.rpartition(".")
    return PageFile(body, _TYPES[dot + suffix], b'"%b"' % sha256(body).hexdigest()[:20].encode())
