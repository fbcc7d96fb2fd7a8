"""What may wait of messages that are not whole, in an association of aiortc's without a network."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple
from unittest import TestCase, mock

from aiortc.rtcsctptransport import (
    USERDATA_MAX_LENGTH,
    WEBRTC_DCEP,
    WEBRTC_STRING,
    DataChunk,
    ForwardTsnChunk,
    ReconfigChunk,
    RTCSctpTransport,
    SackChunk,
    StreamResetOutgoingParam,
)

from ma_signaling.home import parts
from ma_signaling.home.channel import MESSAGE_COST, Channel
from ma_signaling.home.memory import Memory, Share
from tests.unit.home.test_channel import FakeDataChannel

FIRST, LAST, WHOLE, UNORDERED = 2, 1, 3, 4


class Part(NamedTuple):
    """One chunk of SCTP."""

    flags: int
    stream: int = 0
    order: int = 0
    skipped: int = 0
    """Numbers that never come before it."""
    content: bytes = b"x"
    protocol: int = WEBRTC_STRING


class PartsTest(TestCase):
    def setUp(self) -> None:
        self.memory = Memory(2**20)
        self.cut_off = mock.Mock()

    def associated(self, share: Share | None = None) -> Any:
        """Return an association that is bound, without a peer; ``taken`` are the chunks of messages that it took."""
        association: Any = RTCSctpTransport(mock.AsyncMock(state="new"))
        association._last_received_tsn = association._remote_port = 0
        association._association_state = association.State.ESTABLISHED
        association.taken = mock.AsyncMock(wraps=association._receive_data_chunk)
        association._receive_data_chunk = association.taken
        parts.bound(association, share or self.memory.share(), self.cut_off)
        return association

    def arrive(self, *arriving: Part, share: Share | None = None) -> int:
        """Have parts arrive, and return how many were taken."""

        async def run() -> int:
            association = self.associated(share)
            number = 0
            for part in arriving:
                number += 1 + part.skipped
                await association._receive_chunk(_chunk(part, number))
            return int(association.taken.await_count)

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
            ([Part(WHOLE | UNORDERED, skipped=1)] * 5000, parts.MAX_PARTS),
            ([Part(WHOLE, stream=stream) for stream in range(5000)], parts.MAX_STREAMS),
        ):
            self.cut_off.reset_mock()
            self.assertEqual(self.arrive(*each), allowed + 1)
            self.cut_off.assert_called_once_with()

    def test_parts_before_their_turn_count_once(self) -> None:
        """What a client may have under way may all wait for the first part of it."""
        self.memory = Memory(2**30)
        self.arrive(Part(FIRST, skipped=1), *[Part(0)] * (parts.MAX_PARTS - 1))
        self.cut_off.assert_not_called()

    def test_more_than_its_share(self) -> None:
        others = self.memory.share()
        others.add(2**19)
        self.assertLess(self.arrive(Part(FIRST), *[Part(0, content=bytes(1024))] * 1000), 200)
        self.cut_off.assert_called_once_with()

    def test_streams_that_are_named_alone(self) -> None:
        """aiortc makes each, and goes through all of them each time."""

        async def run() -> None:
            for names, is_too_much in ((range(256), False), ([9] * 4000, False), (range(257), True)):
                self.cut_off.reset_mock()
                association = self.associated()
                await association._receive_chunk(_forward(1, names))
                self.assertEqual(self.cut_off.called, is_too_much)
                self.assertEqual(len(association._inbound_streams), 0 if is_too_much else len(set(names)))
                await association._receive_chunk(_forward(2, [300] if len(set(names)) > 1 else []))
                self.assertEqual(self.cut_off.call_count, len(set(names)) > 1)
                self.assertLessEqual(len(association._inbound_streams), parts.MAX_STREAMS)
                await association._receive_chunk(_chunk(Part(WHOLE), 3))
                self.assertEqual(
                    association.taken.called, not self.cut_off.called, "nothing is taken after it"
                )

        asyncio.run(run())

    def test_messages_that_were_skipped(self) -> None:
        """What waited for them is delivered, and held no longer."""

        async def run() -> None:
            share = self.memory.share()
            association = self.associated(share)
            await association._receive_chunk(_chunk(Part(WHOLE, order=1), 2))
            self.assertGreater(share.held, 0)
            await association._receive_chunk(_forward(1, [0]))
            self.assertEqual(share.held, 0)

        asyncio.run(run())

    def test_more_is_acknowledged_than_was_sent(self) -> None:
        """aiortc goes through all numbers that one acknowledgement says."""

        async def run() -> None:
            for ahead, gaps, is_too_much in (
                (0, [(2, 2)], False),
                (1, [(2, 3)], False),
                (4, [], False),
                (5, [], True),
                (0, [(1, 65535)], True),
                (0, [(2, 4)] * 3, True),
                (0, [(65535, 1), (1, 60000)], True),
            ):
                self.cut_off.reset_mock()
                association = self.associated()
                association._ssthresh = 2**20
                first = association._last_sacked_tsn
                await association._send(0, WEBRTC_STRING, bytes(4 * USERDATA_MAX_LENGTH))
                association._t3_cancel()
                sack = SackChunk()
                sack.cumulative_tsn, sack.gaps = (first + ahead) % 2**32, gaps
                await association._receive_chunk(sack)
                association._t3_cancel()
                self.assertEqual(self.cut_off.called, is_too_much, (ahead, gaps))

        asyncio.run(run())

    def test_channels_that_are_given_up_and_kept(self) -> None:
        """The number of a stream is free once both have given it up; its client never does."""

        async def run() -> None:
            association = self.associated()
            for number in range(1, 1000):
                await association._receive_chunk(_chunk(_opening(number, b"a"), number))
                param = StreamResetOutgoingParam(number, 0, number, [number])
                reset = ReconfigChunk()
                reset.params = [(13, bytes(param))]
                await association._receive_chunk(reset)
            association._set_state(association.State.CLOSED)
            self.assertEqual(association.taken.await_count, parts.MAX_STREAMS + 1)
            self.cut_off.assert_called_once_with()

        asyncio.run(run())

    def test_labels_are_short(self) -> None:
        async def run() -> None:
            for length, opened in ((parts.MAX_OPENING - 12, 1), (parts.MAX_OPENING, 0)):
                association = self.associated()
                await association._receive_chunk(_chunk(_opening(0, b"a" * length), 1))
                self.assertEqual(len(association._data_channels), opened)
                association._set_state(association.State.CLOSED)
            self.cut_off.assert_called_once_with()

        asyncio.run(run())

    def test_a_message_counts_once(self) -> None:
        """It is within its client's share, but not with the parts that it came in besides."""
        self.memory.share().add(2**19)
        share = self.memory.share()
        share.add(2**17)

        async def run() -> None:
            association, fake = self.associated(share), FakeDataChannel()
            channel: Any = fake
            Channel(channel, share, 65536, 2**20, 30)
            association._data_channels[0] = fake
            size = (self.memory.fair - MESSAGE_COST) * 2 // 3 // 1024
            for number in range(size):
                part = Part(FIRST if not number else LAST if number == size - 1 else 0, content=b"x" * 1024)
                await association._receive_chunk(_chunk(part, number + 1))
            self.assertEqual((fake.readyState, share.received), ("open", MESSAGE_COST + 1024 * size))

        asyncio.run(run())
        self.cut_off.assert_not_called()

    def test_who_holds_less_is_not_judged(self) -> None:
        """Its share may have become less meanwhile."""
        self.memory.share().add(2**19)
        share = self.memory.share()

        async def run() -> None:
            association = self.associated(share)
            part = bytes(1024)
            for number, flags in enumerate([FIRST, *[0] * 59, FIRST, *[0] * 59], 1):
                await association._receive_chunk(
                    _chunk(Part(flags, stream=number > 60, content=part), number + (number > 60))
                )
            for _ in range(4):
                self.memory.share()
            self.assertGreater(share.held // 2, self.memory.fair)
            await association._receive_chunk(_chunk(Part(LAST, content=part), 61))

        asyncio.run(run())
        self.cut_off.assert_not_called()


def _chunk(part: Part, number: int) -> DataChunk:
    chunk = DataChunk(flags=part.flags)
    chunk.tsn, chunk.stream_id, chunk.stream_seq = number, part.stream, part.order
    chunk.protocol, chunk.user_data = part.protocol, part.content
    return chunk


def _opening(stream: int, label: bytes) -> Part:
    """Return what opens a data channel."""
    content = struct.pack("!BBHLHH", 3, 0, 0, 0, len(label), 0) + label
    return Part(WHOLE, stream=stream, protocol=WEBRTC_DCEP, content=content)


def _forward(number: int, streams: Iterable[int]) -> ForwardTsnChunk:
    """Return what says that messages up to this number were given up, the first of each of these streams."""
    chunk = ForwardTsnChunk()
    chunk.cumulative_tsn, chunk.streams = number, [(stream, 0) for stream in streams]
    return chunk
