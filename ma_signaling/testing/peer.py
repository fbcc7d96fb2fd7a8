"""What a home and a client have in common: a connection to the signaling server, and WebRTC sessions."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Mapping
from typing import Any, Self

import aiohttp
import aiortc
from aiortc.sdp import candidate_from_sdp

from ma_signaling.testing.waiting import STEP_WITHIN, eventually

Message = dict[str, Any]

NO_LINGERING = struct.pack("ii", 1, 0)  # makes closing a socket reset the connection


class SignalingError(Exception):
    """The server answered with an error or the wrong thing, or was gone before it answered."""


def split_candidates(sdp: str) -> tuple[str, list[Message]]:
    """Split the candidates off a one-section `sdp`; return the rest, and them as a browser trickles them."""
    rest = re.sub(r"^a=(candidate:.*|end-of-candidates)\r?\n", "", sdp, flags=re.MULTILINE)
    found = re.findall(r"^a=(candidate:.*?)\r?$", sdp, re.MULTILINE)
    return rest, [{"candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0} for candidate in found]


class Peer:
    """One end: a signaling connection whose messages are kept, and handled inline, one after the other."""

    heartbeat: float | None = None
    answers_pings = True
    headers: Mapping[str, str] = {}
    trust: ssl.SSLContext | bool = True
    """Whose certificates are trusted for wss."""
    _session: aiohttp.ClientSession
    _socket: aiohttp.ClientWebSocketResponse
    _listener: asyncio.Task[None] | None = None

    def __init__(self, url: str) -> None:
        """Take the server's WebSocket address."""
        self.url = url
        self.received: list[Message] = []
        self.errors: list[BaseException] = []
        self.sessions: dict[str, aiortc.RTCPeerConnection] = {}

    @property
    def close_code(self) -> int | None:
        """The code that the newest signaling connection was closed with, `None` while it is open."""
        return self._socket.close_code

    def heard(self, kind: str) -> list[Message]:
        """Return the messages of one type among those received."""
        return [message for message in self.received if message["type"] == kind]

    async def send(self, kind: str, **values: Any) -> None:
        """Send one message to the server."""
        await self._socket.send_json({"type": kind, **values})

    async def send_text(self, text: str) -> None:
        """Send text that need not be a message of the protocol."""
        await self._socket.send_str(text)

    async def answer(self, kind: str, since: int = 0, within: float = STEP_WITHIN) -> Message:
        """Wait for one among `received[since:]`; an `error` or a lost connection raises `SignalingError`."""

        def find() -> Message | None:
            for message in self.received[since:]:
                if message["type"] == kind:
                    return message
                if message["type"] == "error":
                    raise SignalingError(message["error"])
            if self.close_code is not None:
                raise SignalingError(f"closed with {self.close_code} before {kind!r} came")
            return None

        return await eventually(find, f"{kind!r} from the server", within)

    async def open(self) -> None:
        """Connect to the server."""
        self._session = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(STEP_WITHIN):
                self._socket = await self._session.ws_connect(
                    self.url,
                    heartbeat=self.heartbeat,
                    headers=self.headers,
                    ssl=self.trust,
                    autoping=self.answers_pings,
                )
        except BaseException:
            await self._session.close()
            raise
        self._listener = asyncio.create_task(self._listen())

    async def cut(self) -> None:
        """Reset the TCP connection to the server, without a close frame."""
        self._socket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
        await self._leave(self._session.close())

    async def stop(self) -> None:
        """Say goodbye to the server with 1000, then end the WebRTC connections."""
        # In this order: a connection that is closed while it still gathers candidates leaves sockets behind.
        if self._listener is not None:
            await self._leave(self._socket.close())
        async with asyncio.timeout(STEP_WITHIN):
            while self.sessions:
                await self.sessions.popitem()[1].close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def _leave(self, closing: Awaitable[object]) -> None:
        async with asyncio.timeout(STEP_WITHIN):
            await closing
            if self._listener is not None:
                await self._listener
            await self._session.close()
        self._listener = None

    async def _listen(self) -> None:
        async for frame in self._socket:
            if frame.type is aiohttp.WSMsgType.TEXT:
                message: Message = frame.json()
                self.received.append(message)
                # A message that can't be handled doesn't end the loop; the gateway goes on as well.
                outcome = await asyncio.gather(self._handle(message), return_exceptions=True)
                self.errors += filter(None, outcome)

    async def _handle(self, message: Message) -> None:
        connection = self.sessions.get(message.get("sessionId", ""))
        if message["type"] == "ice-candidate" and connection is not None:
            data = message["data"]
            candidate = candidate_from_sdp(data["candidate"].removeprefix("candidate:"))
            candidate.sdpMid, candidate.sdpMLineIndex = data["sdpMid"], data["sdpMLineIndex"]
            await connection.addIceCandidate(candidate)
