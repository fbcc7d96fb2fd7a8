"""A data channel with bounds in both directions."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from aiortc import RTCDataChannel

from ma_signaling.home.memory import Share

HIGH_WATER = 512 * 1024
"""Unsent bytes above which a sender waits; ``LOW_WATER`` if the session is beyond its share."""
LOW_WATER = 64 * 1024
MESSAGE_COST = 64
"""Bytes of overhead that are counted for each received message, even an empty one."""


class ChannelClosed(Exception):
    """Raised if the client has closed the channel, is gone, or takes nothing."""


class Channel:
    """A data channel of a client. Messages are kept from the moment this object exists."""

    def __init__(
        self, channel: RTCDataChannel, share: Share, max_message: int, max_waiting: int, stalled: float
    ) -> None:
        """Bounds: ``max_message`` bytes of a sent message, ``max_waiting`` received bytes that aren't read yet (with
        ``MESSAGE_COST``), ``stalled`` seconds in which the client takes nothing. ``share`` counts waiting bytes."""
        self._channel = channel
        self._share = share
        self.max_message = max_message
        self._max_waiting = max_waiting
        self._stalled = stalled
        self._received: deque[str | bytes] = deque()
        self._waiting = 0
        self._unsent = 0
        self._arrived, self._drained = asyncio.Event(), asyncio.Event()
        self._turn = asyncio.Lock()
        self.is_stalled = False
        """Whether it was closed because the client took nothing."""
        channel.bufferedAmountLowThreshold = LOW_WATER
        channel.on("message", self._take)
        channel.on("bufferedamountlow", self._sent)
        channel.on("close", self._closed)

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return str(self._channel.readyState) == "open"

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Yield the client's messages, until the channel is closed."""
        while True:
            while self._received:
                message = self._received.popleft()
                self._wait_for(-_cost(message))
                yield message
            if not self.is_open:
                return
            self._arrived.clear()
            await self._arrived.wait()

    async def send(self, *messages: str | bytes) -> None:
        """Send messages with no others in between, as fast as the client takes them. Raises ``ChannelClosed``."""
        await self.send_all(iter(messages))

    async def send_all(self, messages: Iterator[str | bytes]) -> None:
        """Like ``send``, for messages that are made only when their turn comes."""
        async with self.turn() as send:
            for message in messages:
                await send(message)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Callable[[str | bytes], Awaitable[None]]]:
        """Wait until nobody else sends, and return a function that sends a message, or raises ``ChannelClosed``."""
        async with self._turn:
            yield self._send

    def close(self) -> None:
        """Close the channel; messages that were sent before still arrive."""
        if self.is_open:
            self._channel.close()
        self._closed()

    def drop(self) -> None:
        """Close the channel and drop received messages, since nobody reads them any more."""
        self.close()
        self._received.clear()
        self._wait_for(-self._waiting)

    async def _send(self, message: str | bytes) -> None:
        await self._until_drained()
        self._channel.send(message)
        self._count_unsent()

    async def _until_drained(self) -> None:
        while self.is_open and self._channel.bufferedAmount > (HIGH_WATER if self._share.fits else LOW_WATER):
            self._drained.clear()
            try:
                async with asyncio.timeout(self._stalled):
                    await self._drained.wait()
            except TimeoutError:
                self.is_stalled = True
                self.close()
        if not self.is_open:
            raise ChannelClosed

    def _take(self, message: str | bytes) -> None:
        cost = _cost(message)
        if self._waiting + cost > self._max_waiting or not self._share.admits(cost):
            self.close()
            return
        self._wait_for(cost)
        self._received.append(message)
        self._arrived.set()

    def _wait_for(self, size: int) -> None:
        self._waiting += size
        self._share.add_received(size)

    def _sent(self) -> None:
        self._count_unsent()
        self._drained.set()

    def _count_unsent(self) -> None:
        unsent = self._channel.bufferedAmount if self.is_open else 0
        self._share.add(unsent - self._unsent)
        self._unsent = unsent

    def _closed(self) -> None:
        self._count_unsent()
        self._arrived.set()
        self._drained.set()


def _cost(message: str | bytes) -> int:
    return MESSAGE_COST + len(message if isinstance(message, bytes) else message.encode())
