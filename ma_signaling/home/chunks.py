"""Messages as a data channel can carry them: the long ones in pieces, which clients put together again. No I/O.

A piece is ``{"type": "__chunk__", "id": N, "seq": N, "count": N, "b64": TEXT}``: part ``seq`` of ``count`` of the
message's UTF-8 bytes. ``id`` names one message, and is used once in a session.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

import orjson

MAX_MESSAGE = 65536
"""Bytes of one message of a data channel: what every client takes. Smaller ones also keep channels from blocking
each other, since none of a message's packets waits for another channel's."""
MIN_MESSAGE = 1024
"""Bytes that every client is sent at once, whatever it announces: shorter ones would cost more than they carry."""

_ENVELOPE = 120
"""Bytes of a piece besides its content, at most."""


def usable(announced: int) -> int:
    """Return how long messages may be for a client whose description announces this; 0: any length (RFC 8841)."""
    return max(MIN_MESSAGE, min(announced, MAX_MESSAGE)) if announced else MAX_MESSAGE


def pieces(text: str, limit: int, number: int) -> Iterator[str]:
    """Yield ``text``, or its pieces where it is longer than ``limit`` bytes; ``number`` is its ``id``."""
    content = text.encode()
    if len(content) <= limit:
        yield text
        return
    size = max(3, (limit - _ENVELOPE) // 4 * 3)
    count = -(-len(content) // size)
    for seq in range(count):
        part = b64encode(content[seq * size : (seq + 1) * size]).decode()
        yield orjson.dumps(
            {"type": "__chunk__", "id": number, "seq": seq, "count": count, "b64": part}
        ).decode()
