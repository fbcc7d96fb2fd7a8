"""HTTP request heads: found in a stream of bytes, and validated before anything acts on them (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ma_signaling.transport.http_reply import Refusal
from ma_signaling.transport.proxy_protocol import PROXY_V1_START, PROXY_V2_SIGNATURE

HEAD_BYTES = 16 * 1024

WEBSOCKET_PATHS = (b"/ws", b"/ws/")

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(%b) ([!-~\x80-\xff]+) HTTP/(\d)\.(\d)" % _TOKEN)
_FIELDS = re.compile(rb"(?:\r\n%b:[^\r\n\0]*)*" % _TOKEN)
_FIELD = re.compile(rb"\r\n([^:]+):[ \t]*([^\r]*)")
"""One field, once ``_FIELDS`` has matched all of them."""

_STRAY = re.compile(rb"\0|(?<!\r)\n|\r[^\n]")
"""Invalid in any head: NUL, and CR or LF without the other (RFC 9112 section 2.2, RFC 9110 section 5.5)."""

_AUTHORITY = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]+)")
"""The start of a target in absolute form (RFC 9112 section 3.2.2)."""

_HOST = re.compile(
    rb"(?:\[[0-9A-Za-z:.%~_!$&'()*+,;=-]+\]|(?:[0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?"
)
"""A Host field's value (RFC 9110 section 7.2): host and port may both be empty."""

_BAD_REQUEST = Refusal(400, {"error": "Bad request"}, {})
_TOO_LARGE = Refusal(431, {"error": "Request header fields too large"}, {})

_TLS_HANDSHAKE = b"\x16"


class WrongProtocol(NamedTuple):
    """The client doesn't speak HTTP; ``mistake`` tells operators what is probably wrong."""

    mistake: str


_TLS = WrongProtocol("TLS at an unencrypted port")
_PROXY = WrongProtocol(
    "the PROXY protocol at a port whose endpoint doesn't begin with haproxy:, or by two load balancers in a row"
)


class RequestHead(NamedTuple):
    """A valid request line with its header fields."""

    method: bytes
    target: bytes
    """In origin form: a path, and a query after a question mark; ``*`` for the server as a whole."""
    minor_version: int
    """0 for HTTP/1.0, 1 for HTTP/1.1 and later 1.x."""
    fields: Mapping[bytes, Sequence[bytes]]
    """Every value of each field, by the field's lower-case name."""

    def header(self, name: bytes) -> Sequence[bytes]:
        """Return every value of a field, given its lower-case name."""
        return self.fields.get(name, ())

    def lists(self, name: bytes, token: bytes) -> bool:
        """Return whether a field that is a list of tokens contains this one (in lower case)."""
        values = self.header(name)
        # For speed, the usual case first: a value that is just this token.
        return token in values or any(
            token == each.strip().lower() for value in values for each in value.split(b",")
        )

    @property
    def is_for_websocket(self) -> bool:
        """Whether this is a GET of a WebSocket path, with or without an upgrade."""
        return self.method == b"GET" and self.target.partition(b"?")[0] in WEBSOCKET_PATHS


class HeadReader:
    """Finds one request head after another in the bytes given to ``feed``, however they are split."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._checked = 0
        self._has_good_line = False

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    @property
    def is_head(self) -> bool:
        """Whether the request that ``next`` refused is a HEAD, whose reply has no content."""
        return self._buffer.startswith(b"HEAD ")

    def take_rest(self) -> bytes:
        """Return the bytes after the last head, for the protocol that goes on with the connection."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        return rest

    def next(self) -> RequestHead | Refusal | WrongProtocol | None:
        """Return the next head, None if it is incomplete, or what is wrong with it, after which there is no next."""
        buffer = self._buffer
        if not self._checked:
            if PROXY_V2_SIGNATURE.startswith(buffer[: len(PROXY_V2_SIGNATURE)]):
                return _PROXY if len(buffer) >= len(PROXY_V2_SIGNATURE) else None
            if buffer.startswith(b"\r\n"):
                # One empty line in front is ignored (RFC 9112 section 2.2).
                del buffer[:2]
        if buffer.startswith(_TLS_HANDSHAKE):
            return _TLS
        if buffer.startswith(PROXY_V1_START):
            return _PROXY
        end = buffer.find(b"\r\n\r\n", max(0, self._checked - 3))
        if 0 <= end <= HEAD_BYTES:
            found = _parse(bytes(buffer[:end]))
            if isinstance(found, RequestHead):
                del buffer[: end + 4]
                self._checked, self._has_good_line = 0, False
            return found
        return self._early_fault()

    def _early_fault(self) -> Refusal | None:
        """Return a fault that shows before the head is complete."""
        buffer, start = self._buffer, max(0, self._checked - 1)
        self._checked = len(buffer)
        if _STRAY.search(buffer, start, HEAD_BYTES):
            return _BAD_REQUEST
        if not self._has_good_line:
            line_end = buffer.find(b"\r\n", start, HEAD_BYTES)
            if line_end >= 0 and not _REQUEST_LINE.fullmatch(buffer, 0, line_end):
                return _BAD_REQUEST
            self._has_good_line = line_end >= 0
        return _TOO_LARGE if len(buffer) > HEAD_BYTES else None


def _parse(head: bytes) -> RequestHead | Refusal:
    parts = _REQUEST_LINE.match(head)
    if parts is None or not _FIELDS.fullmatch(head, parts.end()):
        return _BAD_REQUEST
    method, target, major, minor = parts.groups()
    if major != b"1":
        return Refusal(505, {"error": "HTTP version not supported"}, {})
    fields: dict[bytes, list[bytes]] = {}
    for name, value in _FIELD.findall(head, parts.end()):
        fields.setdefault(name.lower(), []).append(value.rstrip(b" \t"))
    if not target.startswith(b"/") and target != b"*":
        authority = _AUTHORITY.match(target)
        if authority is None or not _HOST.fullmatch(authority[1]):
            return _BAD_REQUEST
        target = b"/" + target[authority.end() :].removeprefix(b"/")
    hosts = fields.get(b"host", [])
    if len(hosts) > 1 or (not hosts and minor != b"0") or not all(map(_HOST.fullmatch, hosts)):
        refused: Refusal | None = Refusal(400, {"error": "Bad Host header"}, {})
    else:
        refused = _refuse_content(fields)
    found = RequestHead(method, target, min(int(minor), 1), fields)
    return found if refused is None else refused._replace(uncharged=found)


def _refuse_content(fields: Mapping[bytes, Sequence[bytes]]) -> Refusal | None:
    """Refuse a request that announces content, which must not be taken for the next request or frame."""
    lengths = fields.get(b"content-length", ())
    if len(lengths) > 1 or not all(length.isdigit() for length in lengths):
        return _BAD_REQUEST
    if b"transfer-encoding" in fields or (lengths and lengths[0].strip(b"0")):
        return Refusal(400 if b"upgrade" in fields else 413, {"error": "Requests have no body here"}, {})
    return None
