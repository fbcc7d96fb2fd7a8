"""Long messages in pieces."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from ma_signaling.home.chunks import MAX_MESSAGE, MIN_MESSAGE, pieces, pieces_of, usable


async def in_parts(content: bytes, limit: int) -> list[str]:
    """Return the pieces of a text that comes in parts."""

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 997):
            yield content[at : at + 997]

    return [piece async for piece in pieces_of(len(content), parts(), limit, 7)]


class PiecesTest(TestCase):
    @given(st.text(), st.integers(200, 2000), st.integers(1, 10**6))
    def test_put_together_again(self, text: str, limit: int, repeated: int) -> None:
        message = text * min(repeated, 10_000 // max(1, len(text.encode(errors="ignore"))))
        try:
            content = message.encode()
        except UnicodeEncodeError:
            return
        sent = list(pieces(content, limit, 7))
        if content:
            self.assertEqual(asyncio.run(in_parts(content, limit)), sent)
        self.assertTrue(all(len(piece.encode()) <= limit for piece in sent))
        if len(content) <= limit:
            self.assertEqual(sent, [message])
            return
        parsed = [json.loads(piece) for piece in sent]
        self.assertEqual(
            {(each["type"], each["id"], each["count"]) for each in parsed}, {("__chunk__", 7, len(sent))}
        )
        self.assertEqual([each["seq"] for each in parsed], list(range(len(sent))))
        self.assertEqual(b"".join(base64.b64decode(each["b64"]) for each in parsed), content)

    def test_what_clients_announce(self) -> None:
        self.assertEqual(usable(0), MAX_MESSAGE)  # any length (RFC 8841 section 6)
        self.assertEqual(usable(262144), MAX_MESSAGE)
        self.assertEqual(usable(16384), 16384)
        self.assertEqual(usable(1), MIN_MESSAGE)
