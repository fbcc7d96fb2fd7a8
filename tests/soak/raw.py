"""WebSocket by hand, for attackers that break its rules."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from types import TracebackType

from tests.soak.ground import Ground

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9

UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: soak\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: {address}\r\n\r\n"
)


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True, claimed: int | None = None) -> bytes:
    """Return a frame masked with zeros; ``claimed``: with this length in its head."""
    length = len(payload) if claimed is None else claimed
    head = bytes([opcode | (0x80 if fin else 0)])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65536:
        head += struct.pack("!BH", 0x80 | 126, length)
    else:
        head += struct.pack("!BQ", 0x80 | 127, length)
    return head + bytes(4) + payload


def message(**keys: object) -> bytes:
    """Return one JSON message in a frame."""
    return frame(json.dumps(keys).encode())


class Raw:
    """A TCP connection that is dropped, not closed, at the end of its ``async with``.

    A ``deaf`` connection has so small a receive buffer that the server soon notices that nothing is read.
    """

    def __init__(self, ground: Ground, *, deaf: bool = False) -> None:
        self.ground = ground
        self.deaf = deaf
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Raw:
        connection = socket.socket()
        if self.deaf:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.ground.port))
        tls = self.ground.tls
        self.reader, self.writer = await asyncio.open_connection(
            sock=connection, limit=4096, ssl=tls, server_hostname=None if tls is None else "localhost"
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.writer not in self.ground.left_open:
            self.writer.transport.abort()

    def leave_open(self) -> None:
        """Stop serving this connection, without ending it."""
        self.ground.left_open.append(self.writer)

    async def send(self, data: bytes) -> None:
        """Send bytes, waiting while the server takes none."""
        self.writer.write(data)
        await self.writer.drain()

    async def open(self, address: str | None = None) -> None:
        """Open the WebSocket."""
        await self.send(UPGRADE.format(address=address or self.ground.address()).encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionRefusedError(head.split(b"\r\n")[0].decode())

    async def receive(self) -> tuple[int, bytes]:
        """Return the opcode and payload of the next frame."""
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(length)

    async def hear(self, kind: str) -> dict[str, object]:
        """Return the next message of one type."""
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSE:
                raise ConnectionResetError("closed")
            if opcode == TEXT and (heard := json.loads(payload))["type"] == kind:
                found: dict[str, object] = heard
                return found

    async def close_code(self) -> int | None:
        """Read until the connection ends; return the code of its close frame, None if there was none."""
        try:
            while True:
                opcode, payload = await self.receive()
                if opcode == CLOSE:
                    return int.from_bytes(payload[:2], "big")
        except (OSError, EOFError):
            return None

    async def call(self, remote_id: str) -> str:
        """Request a session with a home; return its ID."""
        await self.open()
        await self.send(message(type="connect-request", remoteId=remote_id))
        return str((await self.hear("connected"))["sessionId"])


def noise(size: int) -> bytes:
    """Return random bytes."""
    return os.urandom(size)
