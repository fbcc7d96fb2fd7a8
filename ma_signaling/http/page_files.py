"""What a browser is shown: the files in ``pages/``, read once, and the headers that they go out with."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = {b"Content-Security-Policy": _POLICY, b"Cross-Origin-Opener-Policy": b"same-origin"}
"""Nothing inline, nothing from elsewhere, in nobody's frame. ``connect-src 'self'`` includes the WebSocket."""

ASSETS = ("root.js", "style.css", "icon.svg", "doctor")
"""What is served below ``/assets``: files, and directories of files."""

_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


class PageFile(NamedTuple):
    """One file, ready to be sent."""

    body: bytes
    type: bytes
    etag: bytes


def read(path: str) -> PageFile:
    """The file at ``path`` below ``pages/``."""
    return _read(_PAGES.joinpath(path))


def read_assets() -> dict[str, PageFile | dict[str, PageFile]]:
    """Everything below ``/assets``, by name."""
    return {name: _read_tree(_PAGES.joinpath(name)) for name in ASSETS}


_PAGES = files("ma_signaling.http") / "pages"


def _read_tree(entry: Traversable) -> PageFile | dict[str, PageFile]:
    return {each.name: _read(each) for each in entry.iterdir()} if entry.is_dir() else _read(entry)


def _read(file: Traversable) -> PageFile:
    body = file.read_bytes()
    _, dot, suffix = file.name.rpartition(".")
    return PageFile(body, _TYPES[dot + suffix], b'"%b"' % sha256(body).hexdigest()[:20].encode())
