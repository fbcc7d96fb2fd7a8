"""What a session offers, one coroutine for each data channel that a client opens, by the channel's label.

- ``ma-api``: Music Assistant's API (``/ws``). Long messages go in pieces. HTTP requests come in between.
- ``http_proxy``: HTTP requests alone, whose bodies come back as they are, one answer after the other.
- ``sendspin``: audio (``/sendspin``). There Music Assistant asks for a token first; over a data channel clients send
  none, so the token goes that the same client has authenticated itself with over ``ma-api``.
- ``live_announcement``: a client's microphone (``/live_announcement``); it sends its token itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from itertools import chain, count
from typing import Any

import aiohttp
import orjson

from ma_signaling.home import bridge
from ma_signaling.home.bridge import Message
from ma_signaling.home.channel import Channel, ChannelClosed
from ma_signaling.home.chunks import pieces
from ma_signaling.home.limits import Limits
from ma_signaling.home.music_assistant import MusicAssistant, Unreachable
from ma_signaling.home.proxy_messages import Malformed, ProxyRequest, ProxyResponse

_REQUEST = "http-proxy-request"
_AUTH_SECONDS = 10.0

Answer = Callable[[object, ProxyResponse], Awaitable[None]]
"""Sends the answer to the request with this ``id``."""


class Services:
    """The services of one session."""

    def __init__(self, music_assistant: MusicAssistant, limits: Limits) -> None:
        self._home = music_assistant
        self._limits = limits
        self._places = asyncio.Semaphore(limits.requests)
        self._requests: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._token: str | None = None

    def of(self, label: str) -> Callable[[Channel], Awaitable[None]] | None:
        """Return what serves a data channel until it is closed; None for a label that means nothing."""
        return {
            "ma-api": self._api,
            "http_proxy": self._http_proxy,
            "sendspin": self._sendspin,
            "live_announcement": self._live_announcement,
        }.get(label)

    async def close(self) -> None:
        """Give up the requests that are under way."""
        for task in self._requests:
            task.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)

    async def _api(self, channel: Channel) -> None:
        async def answer(number: object, response: ProxyResponse) -> None:
            await channel.send_all(in_pieces(response.in_one(number)))

        async def to_home(message: Message) -> Message | None:
            text = message if isinstance(message, str) else message.decode(errors="replace")
            self._remember_token(text)
            return None if self._takes_request(text, answer) else text

        def in_pieces(message: Message) -> Iterator[Message]:
            text = message if isinstance(message, str) else message.decode(errors="replace")
            yield from pieces(text, channel.max_message, next(self._numbers))

        async with self._socket("/ws", channel) as socket:
            await bridge.join(channel, socket, to_home=to_home, to_client=in_pieces)

    async def _http_proxy(self, channel: Channel) -> None:
        async def answer(number: object, response: ProxyResponse) -> None:
            size = channel.max_message
            header: list[Message] = [response.header(number)]
            body = (response.body[at : at + size] for at in range(0, len(response.body), size))
            await channel.send_all(chain(header, body))

        async for message in channel.messages():
            if isinstance(message, str):
                self._takes_request(message, answer)

    async def _sendspin(self, channel: Channel) -> None:
        async with self._socket("/sendspin", channel) as socket:
            first = await anext(channel.messages(), None)
            if first is None:
                return
            if not _is_auth(first) and not await self._authenticated(socket):
                return
            await (socket.send_bytes(first) if isinstance(first, bytes) else socket.send_str(first))
            await bridge.join(channel, socket, to_home=bridge.unchanged, to_client=bridge.as_it_is)

    async def _live_announcement(self, channel: Channel) -> None:
        async with self._socket("/live_announcement", channel) as socket:
            await bridge.join(channel, socket, to_home=bridge.unchanged, to_client=bridge.as_it_is)

    @contextlib.asynccontextmanager
    async def _socket(self, path: str, channel: Channel) -> Any:
        """Open a WebSocket; close it and the channel in the end, and the channel alone if there is none."""
        try:
            socket = await self._home.websocket(path)
        except Unreachable:
            channel.close()
            raise
        try:
            yield socket
        finally:
            channel.close()
            if not socket.closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(socket.close(), 5)

    async def _authenticated(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        """Authenticate the client at a WebSocket that asks for it; return whether Music Assistant agreed."""
        if self._token is None:
            return False
        await socket.send_json({"type": "auth", "token": self._token})
        try:
            return bool((await socket.receive_json(timeout=_AUTH_SECONDS)).get("type") == "auth_ok")
        except (TimeoutError, TypeError, ValueError, AttributeError, aiohttp.ClientError):
            return False

    def _remember_token(self, text: str) -> None:
        if '"auth"' not in text:
            return
        match _parsed(text):
            case {"command": "auth", "args": {"token": str(token)}}:
                self._token = token

    def _takes_request(self, text: str, answer: Answer) -> bool:
        """Begin to answer ``text`` if it is an HTTP request; return whether it is."""
        if _REQUEST not in text:
            return False
        message = _parsed(text)
        if not isinstance(message, dict) or message.get("type") != _REQUEST:
            return False
        if len(self._requests) >= 2 * self._limits.waiting_requests:
            return True  # even the refusals wait for a client that reads none of them
        task = asyncio.create_task(self._serve(message, answer))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return True

    async def _serve(self, message: dict[str, Any], answer: Answer) -> None:
        with contextlib.suppress(ChannelClosed):
            try:
                request = ProxyRequest.parse(message)
            except Malformed as refused:
                await answer(refused.id, ProxyResponse.failure(HTTPStatus.BAD_REQUEST))
                return
            if len(self._requests) > self._limits.waiting_requests:
                await answer(request.id, ProxyResponse.failure(HTTPStatus.SERVICE_UNAVAILABLE))
                return
            async with self._places:
                response = await self._home.fetch(request)
                await answer(request.id, response)


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_auth(message: Message) -> bool:
    parsed = _parsed(message) if isinstance(message, str) else None
    return isinstance(parsed, dict) and parsed.get("type") == "auth" and "token" in parsed
