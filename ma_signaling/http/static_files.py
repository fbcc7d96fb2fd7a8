"""Static files for browsers: read once, compressed once, and sent only to clients without the current version."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ma_signaling.http.channel import HttpRequest
from ma_signaling.http.resource import NotFound, Page, without_content
from ma_signaling.transport.request_head import RequestHead

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = {b"Content-Security-Policy": _POLICY, b"Cross-Origin-Opener-Policy": b"same-origin"}
"""Nothing inline, nothing from other origins, no framing. ``connect-src 'self'`` includes the WebSocket."""

_TAG = re.compile(rb'"[!#-~\x80-\xff]*"')
"""An entity tag, without the mark of a weak one (RFC 9110 section 8.8.3)."""

_WEIGHT = re.compile(rb"[ \t]*q=(?:1(?:\.0*)?|0\.0*[1-9][0-9]*)[ \t]*")
"""A weight above 0, in lower case (RFC 9110 section 12.4.2)."""

_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".svg": b"image/svg+xml",
}

PAGES = Path(__file__).parent / "pages"


class Variant(NamedTuple):
    """The content of a file in one encoding, and its entity tag."""

    body: bytes
    etag: bytes


class StaticFile:
    """One file, ready to be sent. It is compressed for the first client that accepts that."""

    def __init__(self, type: bytes, body: bytes) -> None:
        self.type = type
        self._digest = sha256(body).hexdigest()[:20].encode()
        self.plain = Variant(body, b'"%b"' % self._digest)

    @cached_property
    def gzipped(self) -> Variant:
        """The compressed variant."""
        return Variant(gzip.compress(self.plain.body, mtime=0), b'"%b-gzip"' % self._digest)


class File(Page):
    """A file that browsers revalidate each time."""

    def __init__(self, file: StaticFile) -> None:
        super().__init__()
        self._file = file

    def render_GET(self, request: HttpRequest) -> bytes | int:
        return send(request, self._file, b"Accept-Encoding")


def send(request: HttpRequest, file: StaticFile, vary: bytes) -> bytes | int:
    """Reply with a file. ``vary`` names the request headers by which it was chosen."""
    set_page_headers(request, file.type)
    request.setHeader(b"Cache-Control", b"no-cache")
    request.setHeader(b"Vary", vary)
    is_gzipped = takes_gzip(request.head)
    variant = file.gzipped if is_gzipped else file.plain
    request.setHeader(b"ETag", variant.etag)
    if is_known(request.head, variant.etag):
        request.setResponseCode(304, b"Not Modified")
        return without_content(request)
    if is_gzipped:
        request.setHeader(b"Content-Encoding", b"gzip")
    return variant.body


def takes_gzip(head: RequestHead) -> bool:
    """Return whether the client accepts gzip; ``*`` stands for codings that aren't named (RFC 9110 section 12.5.3)."""
    is_taken: dict[bytes, bool] = {}
    for each in b",".join(head.header(b"accept-encoding")).lower().split(b","):
        coding, _, weight = each.partition(b";")
        name = coding.strip(b" \t").removeprefix(b"x-")
        is_taken[name] = is_taken.get(name, True) and (not weight or _WEIGHT.fullmatch(weight) is not None)
    return is_taken.get(b"gzip", is_taken.get(b"*", False))


def is_known(head: RequestHead, etag: bytes) -> bool:
    """Return whether If-None-Match has ``etag``, by weak comparison (RFC 9110 section 13.1.2)."""
    tags = b",".join(head.header(b"if-none-match"))
    return tags == b"*" or etag in _TAG.findall(tags)


def set_page_headers(request: HttpRequest, type: bytes) -> None:
    """Set the headers of anything that a browser shows or runs."""
    request.setHeader(b"Content-Type", type)
    for name, value in _HEADERS.items():
        request.setHeader(name, value)


def folder(entries: Mapping[str, StaticFile | Mapping[str, StaticFile]]) -> Page:
    """Return a resource with a child for each file and each directory in ``entries``."""
    resource = NotFound()
    for name, entry in entries.items():
        resource.putChild(name.encode(), File(entry) if isinstance(entry, StaticFile) else folder(entry))
    return resource


def read_tree(name: str) -> StaticFile | dict[str, StaticFile]:
    """Return the file ``name`` below ``pages/``, or the files in that directory."""
    entry = PAGES.joinpath(name)
    return {each.name: _read(each) for each in entry.iterdir()} if entry.is_dir() else _read(entry)


def make_file(name: str, body: bytes) -> StaticFile:
    """Return a file whose type follows from the suffix of its name."""
    _, dot, suffix = name.rpartition(".")
    return StaticFile(_TYPES[dot + suffix], body)


def _read(file: Path) -> StaticFile:
    return make_file(file.name, file.read_bytes())
