"""A data channel with bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from unittest import TestCase

from pyee.base import EventEmitter

from ma_signaling.home.channel import HIGH_WATER, LOW_WATER, MESSAGE_COST, Channel, ChannelClosed
from ma_signaling.home.memory import Memory


class FakeDataChannel(EventEmitter):
    """aiortc's, for a client that takes something only when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.readyState = "open"
        self.bufferedAmount = 0
        self.bufferedAmountLowThreshold = 0
        self.sent: list[Any] = []

    def send(self, message: str | bytes) -> None:
        self.sent.append(message)
        self.bufferedAmount += len(message)

    def drain(self) -> None:
        self.bufferedAmount = self.bufferedAmountLowThreshold
        self.emit("bufferedamountlow")

    def close(self) -> None:
        self.readyState = "closed"
        self.emit("close")


class ChannelTest(TestCase):
    def play(
        self, scenario: Callable[[FakeDataChannel, Channel], Coroutine[Any, Any, None]], stalled: float = 30
    ) -> None:
        async def run() -> None:
            fake: Any = FakeDataChannel()
            async with asyncio.timeout(10):
                await scenario(fake, Channel(fake, Memory(2**30).share(), 65536, 200, stalled))

        asyncio.run(run())

    def test_who_sends_waits_for_who_reads(self) -> None:
        async def scenario(fake: FakeDataChannel, channel: Channel) -> None:
            sending = asyncio.create_task(channel.send(*[b"x" * HIGH_WATER] * 3))
            other = asyncio.create_task(channel.send("last"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.assertEqual(len(fake.sent), 2)
            fake.drain()
            await sending
            self.assertEqual(len(fake.sent), 3)
            fake.drain()
            await other
            self.assertEqual(fake.sent[-1], "last")  # nothing comes between what is sent together
            self.assertEqual(fake.bufferedAmountLowThreshold, LOW_WATER)

        self.play(scenario)

    def test_who_takes_nothing_is_cut(self) -> None:
        async def scenario(fake: FakeDataChannel, channel: Channel) -> None:
            with self.assertRaises(ChannelClosed):
                await channel.send(*[b"x" * HIGH_WATER] * 3)
            self.assertEqual(fake.readyState, "closed")

        self.play(scenario, stalled=0.01)

    def test_who_sends_more_than_is_taken_is_cut(self) -> None:
        async def scenario(fake: FakeDataChannel, channel: Channel) -> None:
            fake.emit("message", "x" * 60)
            messages = channel.messages()
            self.assertEqual(await anext(messages), "x" * 60)
            fake.emit("message", b"x" * 60)
            self.assertTrue(channel.is_open)
            fake.emit("message", "x" * 60)
            self.assertFalse(channel.is_open)
            self.assertEqual([each async for each in messages], [b"x" * 60])

        self.play(scenario)

    def test_what_counts_are_bytes_and_messages(self) -> None:
        async def long_letters(fake: FakeDataChannel, channel: Channel) -> None:
            fake.emit("message", "é" * 80)
            self.assertFalse(channel.is_open)

        async def empty_ones(fake: FakeDataChannel, channel: Channel) -> None:
            messages = channel.messages()
            for _ in range(10):
                fake.emit("message", "")
                self.assertEqual(await anext(messages), "")
            for _ in range(200 // MESSAGE_COST):
                fake.emit("message", b"")
            self.assertTrue(channel.is_open)
            fake.emit("message", b"")
            self.assertFalse(channel.is_open)

        self.play(long_letters)
        self.play(empty_ones)

    def test_closed_while_somebody_waits(self) -> None:
        async def scenario(fake: FakeDataChannel, channel: Channel) -> None:
            reading = asyncio.create_task(anext(channel.messages(), None))
            sending = asyncio.create_task(channel.send(*[b"x" * HIGH_WATER] * 3))
            await asyncio.sleep(0)
            fake.close()
            self.assertIsNone(await reading)
            with self.assertRaises(ChannelClosed):
                await sending

        self.play(scenario)

    def test_what_waits_is_held_in_the_share(self) -> None:
        async def run() -> None:
            memory, fake = Memory(1000), FakeDataChannel()
            share = memory.share()
            made: Any = fake
            channel = Channel(made, share, 65536, 2**20, 30)
            await channel.send(b"x" * 300)
            fake.emit("message", b"x" * 36)
            self.assertEqual((share.held, share.received, memory.used), (400, 100, 400))
            fake.bufferedAmount = 0
            fake.emit("bufferedamountlow")
            self.assertEqual(share.held, 100)
            channel.drop()
            self.assertEqual((share.held, share.received, memory.used), (0, 0, 0))

        asyncio.run(asyncio.wait_for(run(), 10))

    def test_beyond_its_share(self) -> None:
        """Less waits for a client that is beyond it, and what it sends itself may be no more than its share."""

        async def run() -> None:
            memory, fake = Memory(1000), FakeDataChannel()
            share, other = memory.share(), memory.share()
            made: Any = fake
            channel = Channel(made, share, 65536, 2**20, 30)
            other.add(400)
            share.add(300)
            self.assertFalse(share.fits)
            sending = asyncio.create_task(channel.send(b"x" * LOW_WATER, b"x", b"last"))
            for _ in range(3):
                await asyncio.sleep(0)
            self.assertEqual(len(fake.sent), 2)
            fake.emit("message", b"x" * (memory.fair - MESSAGE_COST))
            self.assertTrue(channel.is_open)
            fake.emit("message", b"")
            self.assertFalse(channel.is_open)
            with self.assertRaises(ChannelClosed):
                await sending

        asyncio.run(asyncio.wait_for(run(), 10))
