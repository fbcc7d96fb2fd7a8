"""HTTP replies as bytes, and the headers that every reply of this server has."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import orjson

from ma_signaling.core.errors import FULL, NOT_ALLOWED, RESTARTING, WireError

if TYPE_CHECKING:
    from ma_signaling.transport.request_head import RequestHead

COMMON_HEADERS = {
    b"Access-Control-Allow-Origin": b"*",
    b"X-Content-Type-Options": b"nosniff",
    b"Referrer-Policy": b"no-referrer",
    b"Cache-Control": b"no-store",
}


_STATUS = {NOT_ALLOWED.code: 403, RESTARTING.code: 503, FULL.code: 503}
_TEXT = {"rate-limited": "Rate limited"}


class Refusal(NamedTuple):
    """The reply to a request that is refused: status, JSON body and headers."""

    status: int
    body: dict[str, object]
    headers: dict[bytes, bytes]
    uncharged: RequestHead | None = None
    """The request, if it was parsed and nobody has been charged for it."""


def refusal(error: WireError) -> Refusal:
    """Return ``error`` as an HTTP reply."""
    reply = Refusal(_STATUS.get(error.code, 429), {"error": _TEXT.get(error.code, error.text)}, {})
    if error.retry_after is not None:
        reply.body["retryAfter"] = error.retry_after
        reply.headers[b"Retry-After"] = b"%d" % error.retry_after
    return reply


def raw_reply(refused: Refusal, more_headers: Mapping[bytes, bytes], *, is_head: bool) -> bytes:
    """Return a complete reply that closes the connection; to a HEAD it has no content (RFC 9110 section 9.3.2)."""
    content = orjson.dumps(refused.body)
    fields = {
        **COMMON_HEADERS,
        b"Date": formatdate(usegmt=True).encode(),
        b"Content-Type": b"application/json",
        b"Content-Length": b"%d" % len(content),
        b"Connection": b"close",
        **more_headers,
        **refused.headers,
    }
    lines = [b"HTTP/1.1 %d %b" % (refused.status, HTTPStatus(refused.status).phrase.encode())]
    lines += [b"%b: %b" % field for field in fields.items()]
    return b"\r\n".join([*lines, b"", b"" if is_head else content])
