"""Bridges a data channel and a WebSocket of Music Assistant, as long as both are open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import aiohttp

from ma_signaling.home.channel import Channel, ChannelClosed
from ma_signaling.home.local_socket import LocalSocket

Message = str | bytes

ALIVE_SECONDS = 20.0
"""How often a pong is sent; Music Assistant closes a WebSocket that is silent for some 80 s."""


async def join(
    channel: Channel,
    socket: LocalSocket,
    *,
    to_home: Callable[[Message], Awaitable[Message | None]],
    to_client: Callable[[bytes], Iterator[Message]] | None = None,
) -> None:
    """Pass messages both ways until one side is closed; then close the other.

    ``to_home`` converts a client's message for Music Assistant; None: it gets nothing. ``to_client`` converts a text of
    Music Assistant (in UTF-8) to messages for the client; by default it is passed on unchanged.
    """
    ways = [
        asyncio.create_task(_to_home(channel, socket, to_home)),
        asyncio.create_task(_to_client(channel, socket, to_client or _as_it_is)),
        asyncio.create_task(_stay_alive(socket)),
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
    socket: LocalSocket,
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
    channel: Channel, socket: LocalSocket, convert: Callable[[bytes], Iterator[Message]]
) -> None:
    async for frame in socket:
        if frame.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return
        content: bytes = frame.data
        is_text = frame.type is aiohttp.WSMsgType.TEXT
        try:
            await channel.send_all(convert(content) if is_text else iter((content,)))
        except ChannelClosed:
            return
        socket.pass_on(len(content))


async def _stay_alive(socket: LocalSocket) -> None:
    """Send pongs to Music Assistant, whose pings go unanswered while we wait for a slow client."""
    while True:
        await asyncio.sleep(ALIVE_SECONDS)
        try:
            await socket.pong()
        except (ConnectionError, aiohttp.ClientError):
            return


def _as_it_is(text: bytes) -> Iterator[Message]:
    yield text.decode(errors="replace")


async def unchanged(message: Message) -> Message:
    """Return a message unchanged."""
    return message
