"""The first bytes of a connection: is this a WebSocket for us, or any other HTTP request?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WEBSOCKET_PATH = b"/ws"


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Request line and headers (names in lower case)."""

    method: bytes
    path: bytes
    headers: dict[bytes, list[bytes]]

    def header(self, name: bytes) -> Sequence[bytes]:
        """Every value of a header, given its lower-case name."""
        return self.headers.get(name, ())

    @property
    def wants_websocket(self) -> bool:
        """Whether this is ``GET /ws`` with an upgrade to WebSocket (RFC 6455 section 4.2.1)."""
        protocols = (token for value in self.header(b"upgrade") for token in value.split(b","))
        return (
            self.method == b"GET"
            and self.path == WEBSOCKET_PATH
            and any(protocol.strip().lower() == b"websocket" for protocol in protocols)
        )


def parse(head: bytes) -> RequestHead | None:
    """The request head in ``head``, or None for what only an HTTP server should judge."""
    request_line, *lines = head.split(b"\r\n")
    parts = request_line.split(b" ")
    if len(parts) != 3:
        return None
    headers: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            return None
        headers.setdefault(name.lower(), []).append(value.strip())
    return RequestHead(parts[0], parts[1].partition(b"?")[0], headers)
