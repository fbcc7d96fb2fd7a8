"""A data channel joined to a WebSocket of Music Assistant, for as long as both are open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import aiohttp

from ma_signaling.home.channel import Channel, ChannelClosed

Message = str | bytes


async def join(
    channel: Channel,
    socket: aiohttp.ClientWebSocketResponse,
    *,
    to_home: Callable[[Message], Awaitable[Message | None]],
    to_client: Callable[[Message], Iterator[Message]],
) -> None:
    """Carry messages both ways until one side is closed; then close the other.

    ``to_home`` returns what Music Assistant gets of a client's message, if anything; ``to_client`` what the client gets
    of Music Assistant's.
    """
    ways = [
        asyncio.create_task(_to_home(channel, socket, to_home)),
        asyncio.create_task(_to_client(channel, socket, to_client)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        channel.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(socket.close(), 5)


async def _to_home(
    channel: Channel,
    socket: aiohttp.ClientWebSocketResponse,
    convert: Callable[[Message], Awaitable[Message | None]],
) -> None:
    async for received in channel.messages():
        message = await convert(received)
        try:
            if isinstance(message, str):
                await socket.send_str(message)
            elif message is not None:
                await socket.send_bytes(message)
        except (ConnectionError, aiohttp.ClientError):
            return


async def _to_client(
    channel: Channel,
    socket: aiohttp.ClientWebSocketResponse,
    convert: Callable[[Message], Iterator[Message]],
) -> None:
    async for frame in socket:
        if frame.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return
        try:
            await channel.send_all(convert(frame.data))
        except ChannelClosed:
            return


def as_it_is(message: Message) -> Iterator[Message]:
    """Yield a message unchanged."""
    yield message


async def unchanged(message: Message) -> Message:
    """Return a message unchanged."""
    return message
