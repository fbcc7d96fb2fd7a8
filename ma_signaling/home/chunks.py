"""Messages as a data channel can carry them: the long ones in pieces, which clients put together again. No I/O.

A piece is ``{"type": "__chunk__", "id": N, "seq": N, "count": N, "b64": TEXT}``: part ``seq`` of ``count`` of the
message's UTF-8 bytes. ``id`` names one message, and is used once in a session.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Iterator

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


def pieces(content: bytes, limit: int, number: int) -> Iterator[str]:
    """Yield a text in UTF-8, or its pieces where it has more than ``limit`` bytes; ``number`` is its ``id``."""
    if len(content) <= limit:
        yield content.decode(errors="replace")
        return
    size = _size(limit)
    count = -(-len(content) // size)
    for seq in range(count):
        yield _piece(number, seq, count, content[seq * size : (seq + 1) * size])


async def pieces_of(length: int, parts: AsyncIterable[bytes], limit: int, number: int) -> AsyncIterator[str]:
    """Do the same for a text of ``length`` bytes, not 0, whose parts come one after the other."""
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
    """Return how many bytes fit into a piece."""
    return max(3, (limit - _ENVELOPE) // 4 * 3)


def _piece(number: int, seq: int, count: int, content: bytes | bytearray) -> str:
    text = b64encode(content).decode()
    return orjson.dumps({"type": "__chunk__", "id": number, "seq": seq, "count": count, "b64": text}).decode()
