"""Attackers and their victims: WebSocket by hand, over TCP or TLS, from any address."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

WITHIN = 20.0
"""Seconds that any single step of an attack may take."""


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True) -> bytes:
    """Return a client's frame, masked with zeros."""
    size = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    return head + bytes(4) + payload


def message(kind: str, **keys: object) -> bytes:
    """Return one JSON message in a frame."""
    return frame(json.dumps({"type": kind, **keys}).encode())


def upgrade_request(address: str) -> bytes:
    """Return an upgrade request; if ``address`` isn't empty, as a proxy forwards it for that address."""
    forwarded = f"X-Forwarded-For: {address}\r\n" if address else ""
    return (
        f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{forwarded}"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


class Server:
    """The address of a server under attack. It trusts loopback as a proxy, so that any address can be claimed."""

    def __init__(self, port: int, pid: int, context: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.pid = pid
        self.context = context
        self.url = f"{'wss' if context else 'ws'}://localhost:{port}/ws"


class Link:
    """A connection to the server that is dropped, not closed, at the end of its ``async with``.

    A ``deaf`` link has so small a receive buffer that the server soon notices that nothing is read. A ``far`` link
    takes segments as small as the internet's, since for loopback's large ones the server's kernel keeps megabytes.
    Messages that weren't waited for are kept in ``heard``.
    """

    answers_pings = True

    def __init__(self, server: Server, address: str = "", *, deaf: bool = False, far: bool = False) -> None:
        self.address = address
        self.heard: list[dict[str, Any]] = []
        self._server = server
        self._deaf = deaf
        self._far = far
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        connection = socket.socket()
        try:
            if self._deaf:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            if self._far:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self._server.port))
            async with asyncio.timeout(WITHIN):
                self.reader, self.writer = await asyncio.open_connection(
                    sock=connection,
                    limit=4096 if self._deaf else 65536,
                    ssl=self._server.context,
                    server_hostname="localhost" if self._server.context else None,
                )
        except BaseException:
            connection.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Send bytes, waiting while the server takes none."""
        self.writer.write(data)
        await self.writer.drain()

    async def say(self, kind: str, **keys: object) -> None:
        """Send one message."""
        await self.send(message(kind, **keys))

    async def upgrade(self) -> bytes:
        """Ask for a WebSocket; return the status line of the reply."""
        await self.send(upgrade_request(self.address))
        async with asyncio.timeout(WITHIN):
            head = await self.reader.readuntil(b"\r\n\r\n")
        return head.partition(b"\r\n")[0]

    async def open(self) -> None:
        """Open the WebSocket. Raises ConnectionRefusedError with the status line."""
        status = await self.upgrade()
        if b" 101 " not in status:
            raise ConnectionRefusedError(status.decode())

    async def receive(self) -> tuple[int, bytes]:
        """Return the opcode and payload of the next frame. A ping is answered, if the link does so."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        opcode, payload = first & 0x0F, await self.reader.readexactly(size)
        if opcode == PING and self.answers_pings:
            await self.send(frame(payload, PONG))
        return opcode, payload

    async def hear(self, *kinds: str, within: float = WITHIN) -> dict[str, Any]:
        """Return the next message of one of these types; the type "closed" with a ``code`` stands for the end."""
        async with asyncio.timeout(within):
            while True:
                try:
                    opcode, payload = await self.receive()
                except (OSError, EOFError):
                    opcode, payload = CLOSE, b""
                if opcode == TEXT:
                    heard: dict[str, Any] = json.loads(payload)
                elif opcode == CLOSE:
                    heard = {"type": "closed", "code": int.from_bytes(payload[:2]) or None}
                else:
                    continue
                if heard["type"] in kinds:
                    return heard
                self.heard.append(heard)
                if heard["type"] == "closed":
                    raise ConnectionResetError(
                        f"closed with {heard['code']} before any of {kinds}: {self.heard}"
                    )

    async def register(self, remote_id: str) -> dict[str, Any]:
        """Register a Remote ID; return the answer."""
        await self.say("register-server", remoteId=remote_id)
        return await self.hear("registered", "error", "closed")

    async def call(self, remote_id: str) -> dict[str, Any]:
        """Request a session with a home; return the answer."""
        await self.say("connect-request", remoteId=remote_id)
        return await self.hear("connected", "error", "closed")

    async def obey(self) -> None:
        """Answer pings, and accept sessions as a home does, until the end."""
        with suppress(OSError, EOFError):
            while True:
                opcode, payload = await self.receive()
                if opcode == CLOSE:
                    self.heard.append({"type": "closed", "code": int.from_bytes(payload[:2]) or None})
                    return
                if opcode == TEXT:
                    self.heard.append(json.loads(payload))
                    if self.heard[-1]["type"] == "client-connected":
                        await self.say("session-ready", sessionId=self.heard[-1]["sessionId"])
        self.heard.append({"type": "closed", "code": None})

    def end(self) -> dict[str, Any] | None:
        """Return the close among what ``obey`` heard, None while it is open."""
        return next((heard for heard in self.heard if heard["type"] == "closed"), None)
