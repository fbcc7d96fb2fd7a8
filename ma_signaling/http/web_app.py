"""Music Assistant's web app, from its package, changed to use the server that it comes from.

Two places in its code are changed. The address of the official signaling server becomes that of ``/ws`` beside the
page, relative to its own URL, so that the files are the same for everybody and can be cached. Its test for the official
site becomes true, so that it asks for a Remote ID, since there is no Music Assistant at this host.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

_ADDRESS = re.compile(rb"([`\"'])wss://signaling\.music-assistant\.io/ws\1")
_HOSTED = re.compile(rb"window\.location\.hostname===([`\"'])app\.music-assistant\.io\1")

_HOST = b"signaling.music-assistant.io"

_PIECES = b"__chunk__"
"""The type of the pieces of a long message (``home.chunks``). Versions before 2.17.235 don't know it, and get stuck
after the login."""

_HASHED = re.compile(r"assets/[^/]+[-.][A-Za-z0-9_-]{8}\.[a-z0-9]+")
"""The name of a file whose content never changes, since the name contains a hash."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".eot": "application/vnd.ms-fontobject",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_COMPRESSIBLE = (
    ".css",
    ".eot",
    ".html",
    ".ico",
    ".js",
    ".json",
    ".svg",
    ".ttf",
    ".txt",
    ".wasm",
    ".webmanifest",
)
_CODE = (".html", ".js")


class WebAppError(Exception):
    """Raised if the web app can't be served; the text says why."""


@dataclass(frozen=True, slots=True)
class AppFile:
    """One file, ready to be sent."""

    body: bytes
    compressed: bytes | None
    """The body in gzip, None if that isn't smaller."""
    type: str
    etag: str
    """A hash, without quotation marks."""
    is_final: bool
    """Whether its name identifies its content, so that browsers need never ask for it again."""


def load() -> Mapping[str, AppFile]:
    """Return the files of the installed web app, by path. Raises ``WebAppError``. Takes a second."""
    try:
        import music_assistant_frontend  # noqa: PLC0415 - it needs an extra
    except ImportError:
        raise WebAppError("it is not installed: pip install 'ma-signaling[web-app]'") from None
    return prepare(read(music_assistant_frontend.where()))


def read(root: Path) -> dict[str, bytes]:
    """Return all files below ``root`` of types that browsers use, by path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.suffix in _TYPES and path.is_file()
    }


def prepare(files: Mapping[str, bytes]) -> Mapping[str, AppFile]:
    """Return the files as they are served. Raises ``WebAppError`` if they aren't as expected."""
    if "index.html" not in files:
        raise WebAppError("its package has no index.html")
    if sum(body.count(_HOST) for body in files.values()) != 1:
        raise WebAppError("this version of it has the signaling server's name in other than one place")
    if not any(_PIECES in body for path, body in files.items() if path.endswith(_CODE)):
        raise WebAppError("this version of it is too old for the homes of today")
    changed = _with(files, _ADDRESS, "the address of the signaling server", _own_address)
    changed = _with(changed, _HOSTED, "the test for the official site", lambda _: b"!0")
    return {path: _file(path, body, is_original=body == files[path]) for path, body in changed.items()}


def _with(
    files: Mapping[str, bytes], pattern: re.Pattern[bytes], what: str, instead: Callable[[str], bytes]
) -> dict[str, bytes]:
    """Return ``files`` with the only match of ``pattern`` replaced. Raises ``WebAppError`` unless there is just one."""
    places = [path for path, body in files.items() if path.endswith(_CODE) for _ in pattern.finditer(body)]
    if len(places) != 1:
        raise WebAppError(f"this version of it has {what} in {len(places)} places, not in one")
    (path,) = places
    return {**files, path: pattern.sub(lambda _: instead(path), files[path])}


def _own_address(path: str) -> bytes:
    """Return a JavaScript expression for the address of ``/ws`` beside ``/app/``, for the module at ``path``."""
    up = "../" * len(PurePosixPath(path).parts)
    return f'new URL("{up}ws",import.meta.url).href.replace("http","ws")'.encode()


def _file(path: str, body: bytes, *, is_original: bool) -> AppFile:
    suffix = PurePosixPath(path).suffix
    compressed = gzip.compress(body, 6, mtime=0) if suffix in _COMPRESSIBLE else body
    return AppFile(
        body,
        compressed if len(compressed) < len(body) else None,
        _TYPES[suffix],
        sha256(body).hexdigest()[:20],
        is_original and _HASHED.fullmatch(path) is not None,
    )
