"""What may wait of messages that are not whole, in an association of aiortc's without a network."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple
from unittest import TestCase, mock

from aiortc.rtcsctptransport import DataChunk, RTCSctpTransport

from ma_signaling.home import parts
from ma_signaling.home.memory import Memory, Share

FIRST, LAST, WHOLE = 2, 1, 3


class Part(NamedTuple):
    """One chunk of SCTP."""

    flags: int
    stream: int = 0
    order: int = 0
    skipped: int = 0
    """Numbers that never come before it."""
    content: bytes = b"x"


class PartsTest(TestCase):
    def setUp(self) -> None:
        self.memory = Memory(2**20)
        self.cut_off = mock.Mock()

    def arrive(self, *arriving: Part, share: Share | None = None) -> int:
        """Have parts arrive, and return how many were taken."""

        async def run() -> int:
            dtls = mock.Mock(state="new")
            association: Any = RTCSctpTransport(dtls)
            association._last_received_tsn = 0
            taken = mock.AsyncMock(wraps=association._receive_data_chunk)
            association._receive_data_chunk = taken
            parts.bound(association, share or self.memory.share(), self.cut_off)
            number = 0
            for part in arriving:
                number += 1 + part.skipped
                chunk = DataChunk(flags=part.flags)
                chunk.tsn, chunk.stream_id, chunk.stream_seq = number, part.stream, part.order
                chunk.protocol, chunk.user_data = 51, part.content
                await association._receive_data_chunk(chunk)
            return int(taken.await_count)

        return asyncio.run(run())

    def test_what_becomes_whole_is_held_no_longer(self) -> None:
        share = self.memory.share()
        long = [Part(FIRST), *[Part(0)] * 100, Part(LAST)]
        self.assertEqual(
            self.arrive(*long, *(Part(WHOLE, order=1 + n) for n in range(5000)), share=share), 5102
        )
        self.assertEqual((share.held, share.received, self.memory.used), (0, 0, 0))
        self.arrive(*long[:-1], share=share)
        self.assertEqual(share.held, 101 * (parts.PART_COST + 1))
        self.cut_off.assert_not_called()

    def test_more_than_anybody_sends(self) -> None:
        self.memory = Memory(2**30)
        for each, allowed in (
            ([Part(FIRST), *[Part(0)] * 5000], parts.MAX_PARTS),
            ([Part(WHOLE, order=1)] * 5000, parts.MAX_PARTS),
            ([Part(WHOLE, skipped=1, order=1)] * 5000, parts.MAX_PARTS),
            ([Part(WHOLE, stream=stream) for stream in range(5000)], parts.MAX_STREAMS),
        ):
            self.cut_off.reset_mock()
            self.assertEqual(self.arrive(*each), allowed + 1)
            self.cut_off.assert_called_once_with()

    def test_more_than_its_share(self) -> None:
        others = self.memory.share()
        others.add(2**19)
        self.assertLess(self.arrive(Part(FIRST), *[Part(0, content=bytes(1024))] * 1000), 200)
        self.cut_off.assert_called_once_with()
