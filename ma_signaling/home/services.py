"""The services of a session: a coroutine for each data channel that a client opens, by the channel's label.

- ``ma-api``, or the first channel with any other label: Music Assistant's API (``/ws``). Long messages are split into
  pieces. HTTP requests come in between.
- ``http_proxy``: only HTTP requests, whose bodies are sent in binary, one answer after another.
- ``sendspin``: audio (``/sendspin``). There Music Assistant demands a token first. Clients send none on a data channel,
  so we send the token by which the client has authenticated itself on ``ma-api``.
- ``live_announcement``: a client's microphone (``/live_announcement``); the client sends its token itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http import HTTPStatus
from itertools import count
from typing import Any

import aiohttp
import orjson

from ma_signaling.home import bridge
from ma_signaling.home.bridge import Message
from ma_signaling.home.channel import Channel, ChannelClosed
from ma_signaling.home.chunks import pieces, pieces_of
from ma_signaling.home.limits import Limits
from ma_signaling.home.local_socket import LocalSocket
from ma_signaling.home.memory import Share
from ma_signaling.home.music_assistant import API, MusicAssistant, Unreachable
from ma_signaling.home.proxy_answer import Interrupted, ProxyAnswer
from ma_signaling.home.proxy_messages import Malformed, ProxyRequest

_REQUEST = "http-proxy-request"
_AUTH_SECONDS = 10.0

Send = Callable[[object, ProxyAnswer], Awaitable[None]]
"""Sends the answer to the request with this ``id``."""


class Services:
    """The services of one session."""

    def __init__(self, music_assistant: MusicAssistant, limits: Limits, share: Share) -> None:
        """``share`` counts what waits for the client."""
        self._home = music_assistant
        self._share = share
        self._limits = limits
        self._places = asyncio.Semaphore(limits.requests)
        self._requests: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._token: str | None = None
        self.is_logged_in = False
        """Whether Music Assistant's API has accepted a token of this client."""

    def of(self, label: str) -> Callable[[Channel], Awaitable[None]] | None:
        """Return the coroutine that serves a data channel other than the API's; None for an unknown label."""
        return {
            "http_proxy": self._http_proxy,
            "sendspin": self._sendspin,
            "live_announcement": self._live_announcement,
        }.get(label)

    async def close(self) -> None:
        """Cancel the requests that are under way."""
        for task in self._requests:
            task.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)

    async def api(self, channel: Channel) -> None:
        """Serve the API, until the channel is closed."""

        async def answer(number: object, answer: ProxyAnswer) -> None:
            before, after = answer.head.around(number)
            length = len(before) + 2 * answer.size + len(after)
            parts = _around(before, answer.parts, after)
            async for piece in pieces_of(length, parts, channel.max_message, next(self._numbers)):
                await channel.send(piece)

        async def answer_or_fail(number: object, given: ProxyAnswer) -> None:
            try:
                await answer(number, given)
            except Interrupted:
                # The client would wait for the remaining pieces for ever, so it gets another, complete answer.
                await answer(number, ProxyAnswer.failure(HTTPStatus.BAD_GATEWAY))

        async def to_home(message: Message) -> Message | None:
            text = message if isinstance(message, str) else message.decode(errors="replace")
            self._remember_token(text)
            return None if self._takes_request(text, answer_or_fail) else text

        def in_pieces(text: bytes) -> Iterator[Message]:
            self.is_logged_in = self.is_logged_in or _is_login(text)
            return pieces(text, channel.max_message, next(self._numbers))

        async with self._socket(API, channel) as socket:
            await bridge.join(channel, socket, to_home=to_home, to_client=in_pieces)

    async def _http_proxy(self, channel: Channel) -> None:
        async def answer(number: object, answer: ProxyAnswer) -> None:
            # A body's messages carry no ``id``, so answers don't overlap. One that breaks off ends at the next header.
            async with channel.turn() as send:
                await send(answer.head.alone(number, answer.size))
                async for part in answer.parts:
                    for at in range(0, len(part), channel.max_message):
                        await send(part[at : at + channel.max_message])

        async for message in channel.messages():
            if isinstance(message, str):
                self._takes_request(message, answer)

    async def _sendspin(self, channel: Channel) -> None:
        # Wait for the client: some open it before they have logged in, and Music Assistant waits for a token only 10 s.
        first = await anext(channel.messages(), None)
        if first is None:
            return
        async with self._socket("/sendspin", channel) as socket:
            if not _is_auth(first) and not await self._authenticated(socket, first):
                return
            await (socket.send_bytes(first) if isinstance(first, bytes) else socket.send_str(first))
            await bridge.join(channel, socket, to_home=bridge.unchanged)

    async def _live_announcement(self, channel: Channel) -> None:
        async with self._socket("/live_announcement", channel) as socket:
            await bridge.join(channel, socket, to_home=bridge.unchanged)

    @contextlib.asynccontextmanager
    async def _socket(self, path: str, channel: Channel) -> AsyncIterator[LocalSocket]:
        """Open a WebSocket, and finally close it and the channel. If opening fails, close the channel."""
        try:
            socket = await self._home.websocket(path, self._share)
        except Unreachable:
            channel.close()
            raise
        try:
            yield socket
        finally:
            channel.close()
            socket.end()
            if not socket.closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(socket.close(), 5)

    async def _authenticated(self, socket: LocalSocket, hello: Message) -> bool:
        """Authenticate the client at a WebSocket that demands it; return whether Music Assistant accepted.

        With the player's name, Music Assistant admits users that may not use all players to this one.
        """
        if self._token is None:
            return False
        player = _player(hello)
        await socket.send_json(
            {"type": "auth", "token": self._token, **({"client_id": player} if player else {})}
        )
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

    def _takes_request(self, text: str, send: Send) -> bool:
        """Begin to answer ``text`` if it is an HTTP request; return whether it is one."""
        if _REQUEST not in text:
            return False
        message = _parsed(text)
        if not isinstance(message, dict) or message.get("type") != _REQUEST:
            return False
        if len(self._requests) >= 2 * self._limits.waiting_requests:
            return True  # unanswered: even refusals pile up for a client that doesn't read
        task = asyncio.create_task(self._serve(message, send))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return True

    async def _serve(self, message: dict[str, Any], send: Send) -> None:
        with contextlib.suppress(ChannelClosed, Interrupted):
            try:
                request = ProxyRequest.parse(message)
            except Malformed as refused:
                await send(refused.id, ProxyAnswer.failure(HTTPStatus.BAD_REQUEST))
                return
            if len(self._requests) > self._limits.waiting_requests:
                await send(request.id, ProxyAnswer.failure(HTTPStatus.SERVICE_UNAVAILABLE))
                return
            async with self._places, self._home.fetch(request, self._share) as answer:
                await send(request.id, answer)


async def _around(before: bytes, parts: AsyncIterator[bytes], after: bytes) -> AsyncIterator[bytes]:
    """Yield the parts of a message that contains a body, in hexadecimal."""
    yield before
    async for part in parts:
        yield part.hex().encode()
    yield after


def _player(hello: Message) -> str | None:
    """Return the name that a player gives itself in its first message."""
    match _parsed(hello):
        case {"payload": {"client_id": str(name)}}:
            return name
    return None


def _parsed(text: Message) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_login(text: bytes) -> bool:
    """Return whether this is Music Assistant's reply that accepts a client's token."""
    match _parsed(text) if b'"authenticated"' in text else None:
        case {"result": {"authenticated": True}}:
            return True
    return False


def _is_auth(message: Message) -> bool:
    parsed = _parsed(message) if isinstance(message, str) else None
    return isinstance(parsed, dict) and parsed.get("type") == "auth" and "token" in parsed
