"""Splitting long messages into pieces for a data channel, which clients join again. No I/O.

A piece is ``{"type": "__chunk__", "id": N, "seq": N, "count": N, "b64": TEXT}``: part ``seq`` (from 0) of ``count`` of
the message's UTF-8 bytes. ``id`` identifies the message, and is used once in a session.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Iterator

import orjson

MAX_MESSAGE = 65536
"""The most bytes of a message of a data channel: every client takes them. The bound also keeps channels from blocking
each other, since the packets of a message go without another channel's in between."""
MIN_MESSAGE = 1024
"""The bound for clients that announce less: shorter pieces would have more overhead than content."""

_ENVELOPE = 120
"""The most bytes of a piece besides its content."""


def usable(announced: int) -> int:
    """Return the longest message for a client whose description announces ``announced``; 0: any length (RFC 8841)."""
    return max(MIN_MESSAGE, min(announced, MAX_MESSAGE)) if announced else MAX_MESSAGE


def pieces(content: bytes, limit: int, number: int) -> Iterator[str]:
    """Yield a text in UTF-8, or its pieces if it has more than ``limit`` bytes; ``number`` is its ``id``."""
    if len(content) <= limit:
        yield content.decode(errors="replace")
        return
    size = _size(limit)
    count = -(-len(content) // size)
    for seq in range(count):
        yield _piece(number, seq, count, content[seq * size : (seq + 1) * size])


async def pieces_of(length: int, parts: AsyncIterable[bytes], limit: int, number: int) -> AsyncIterator[str]:
    """Do the same as ``pieces`` for a text of ``length`` bytes, not 0, that comes in ``parts``."""
    is_whole = length <= limit
    size = length if is_whole else _size(limit)
    count = -(-length // size)
    seq, waiting = 0, bytearray()
    async for part in parts:
        waiting += part
        length -= len(part)
        while waiting and (len(waiting) >= size or length == 0):
            yield waiting.decode() if is_whole else _piece(number, seq, count, waiting[:size])
            del waiting[:size]
            seq += 1


def _size(limit: int) -> int:
    """Return how many content bytes fit into a piece."""
    return max(3, (limit - _ENVELOPE) // 4 * 3)


def _piece(number: int, seq: int, count: int, content: bytes | bytearray) -> str:
    text = b64encode(content).decode()
    return orjson.dumps({"type": "__chunk__", "id": number, "seq": seq, "count": count, "b64": text}).decode()
