"""What all actors of a soak share: the server's address, the remaining time, and the counts."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import time
from collections import Counter
from itertools import count
from typing import Any

import aiohttp

WITHIN = 20.0
"""Seconds within which the server must answer, even on a busy machine."""


class Disturbed(Exception):
    """Raised when something happens to an honest peer that must not happen."""


class Ground:
    """The state that all actors share."""

    def __init__(self, port: int, web: aiohttp.ClientSession, tls: ssl.SSLContext | None = None) -> None:
        """``tls`` is used for all connections if ``port`` speaks TLS; ``web`` uses it too."""
        self.port = port
        self.tls = tls
        encrypted = "" if tls is None else "s"
        self.url = f"ws{encrypted}://127.0.0.1:{port}/ws"
        self.http = f"http{encrypted}://127.0.0.1:{port}"
        self.web = web
        self.figures: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.left_open: list[asyncio.StreamWriter] = []
        """Sockets that no actor serves any more: the server has to find out by itself."""
        self._numbers = count(1)
        self._ends = 0.0

    def begin(self, seconds: float) -> None:
        """Let the actors play for ``seconds`` from now."""
        self._ends = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is up, so that no actor begins anything new."""
        return time.monotonic() >= self._ends

    async def pause(self, shortest: float, longest: float) -> None:
        """Wait for a while, but not beyond the end."""
        left = self._ends - time.monotonic()
        await asyncio.sleep(max(0.0, min(random.uniform(shortest, longest), left)))

    def fail(self, reason: str) -> None:
        """Count a broken promise."""
        self.failures[reason] += 1

    def number(self) -> int:
        """Return a new number."""
        return next(self._numbers)

    def address(self) -> str:
        """Return a new client address: every third one is IPv6, in a /48 of its own."""
        number = self.number()
        if number % 3 == 0:
            return f"2001:{0xDB8 + (number >> 16):x}:{number & 0xFFFF:x}::1"
        return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"

    async def connect(self, address: str) -> aiohttp.ClientWebSocketResponse:
        """Return a WebSocket that comes from ``address``, as far as the server can tell."""
        async with asyncio.timeout(WITHIN):
            return await self.web.ws_connect(self.url, headers={"X-Forwarded-For": address})

    async def is_online(self, remote_id: str, address: str) -> bool:
        """Return what ``/api/check`` says."""
        headers = {"X-Forwarded-For": address}
        async with self.web.get(f"{self.http}/api/check/{remote_id}", headers=headers) as response:
            if response.status != 200:
                raise Disturbed(f"/api/check answered {response.status}")
            online: bool = (await response.json())["online"]
            return online


async def hear(ws: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next message except keep-alive. Raises ``Disturbed`` at the connection's end."""
    while True:
        frame = await ws.receive(timeout=WITHIN * 2)
        if frame.type != aiohttp.WSMsgType.TEXT:
            raise Disturbed(f"connection ended with {ws.close_code}")
        message: dict[str, Any] = frame.json()
        if message["type"] != "ping":
            return message
        await ws.send_json({"type": "pong"})


async def vanish(ws: aiohttp.ClientWebSocketResponse) -> None:
    """End a connection as a killed process does: TCP ends without a close frame."""
    with contextlib.suppress(OSError):
        ws.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    await ws.close()
