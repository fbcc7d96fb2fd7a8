"""The generator: homes and clients as bare WebSocket peers on uvloop, driven by callbacks.

A general WebSocket library costs more for a connection than the servers do, and would be what is measured. These peers
speak RFC 6455 as far as these servers do: whole text frames up to 64 KiB, ping, pong and close.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from benchmarks import texts
from benchmarks.servers import Server, blind_trust

WITHIN = 30.0
"""Seconds in which anything must have happened."""

IP_BIND_ADDRESS_NO_PORT = 24
PORTS_OF_AN_ADDRESS = 5000
"""Connections from each of our loopback addresses: the kernel searches long for a port where most are taken."""

PING = b'{"type":"ping"}'
TEXT_FRAME, CLOSE_FRAME, PING_FRAME, PONG_FRAME = 0x81, 0x88, 0x89, 0x8A
GOODBYE = (1000).to_bytes(2, "big")

_mask = os.urandom(4)
_masks: dict[int, int] = {}


def frame(kind: int, payload: bytes) -> bytes:
    """A masked frame. One mask for all: it is as much work for a server as any other."""
    size = len(payload)
    mask = _masks.get(size)
    if mask is None:
        mask = _masks[size] = int.from_bytes((_mask * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")
    if size < 126:
        return b"%c%c%b%b" % (kind, 0x80 | size, _mask, masked)
    return b"%c\xfe%c%c%b%b" % (kind, size >> 8, size & 255, _mask, masked)


class Unexpected(Exception):
    """The server did something other than the conversation asks: nothing was measured."""


class Place:
    """A running server, as its peers see it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._tls: ssl.SSLContext | None = blind_trust() if server.tls else None
        self._connections = 0
        self._loop = asyncio.get_running_loop()

    async def connect(self, peer: Peer) -> None:
        """Open a WebSocket for ``peer``."""
        connection = socket.socket()
        try:
            await self._connect_tcp(connection)
            if self._tls is None:
                await self._loop.create_connection(lambda: peer, sock=connection)
            else:
                await self._loop.create_connection(
                    lambda: peer, sock=connection, ssl=self._tls, server_hostname="localhost"
                )
        except BaseException:
            connection.close()
            raise
        await peer.opened

    async def _connect_tcp(self, connection: socket.socket) -> None:
        self._connections += 1
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind((f"127.0.0.{1 + self._connections // PORTS_OF_AN_ADDRESS % 200}", 0))
        server = ("127.0.0.1", self.server.port)
        try:
            connection.connect(server)
        except BlockingIOError:
            await self._loop.sock_connect(connection, server)


class Peer(asyncio.Protocol):
    """One connection. What is said to it goes to ``hear``, which conversations set."""

    HEAD = texts.CLIENT_HEAD

    def __init__(self) -> None:
        self.address = texts.address()
        self.hear: Callable[[bytes], None] = self._answer
        self.is_gone = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_open = False
        self._says_goodbye = False
        self._rest = b""
        self._waits_for: asyncio.Future[bytes] | None = None
        self._gone: asyncio.Future[None] | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP, and TLS, are up."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.write(self.HEAD % self.address.encode())

    def data_received(self, data: bytes) -> None:
        """Read the answer to the upgrade, then frames."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at = 0
        if not self._is_open:
            at = data.find(b"\r\n\r\n") + 4
            if at == 3:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101 ") or texts.ACCEPT not in data[:at]:
                raise Unexpected(f"the upgrade was answered {data[:200]!r}")
            self._is_open = True
            self.opened.set_result(None)
        end = len(data)
        while end - at >= 2:
            kind, size, start = data[at], data[at + 1], at + 2
            if size >= 126:
                if size == 127 or end < start + 2:
                    break
                size = data[start] << 8 | data[start + 1]
                start += 2
            stop = start + size
            if stop > end:
                break
            payload = data[start:stop]
            at = stop
            if kind != TEXT_FRAME:
                self._control(kind, payload)
            elif payload != PING:
                self.hear(payload)
        self._rest = data[at:]

    def connection_lost(self, error: Exception | None) -> None:
        """TCP is gone."""
        self.is_gone = True
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        for future in (self.opened, self._waits_for):
            if future is not None and not future.done():
                future.set_exception(error or Unexpected("the connection ended"))

    def say(self, payload: bytes) -> None:
        """Send a text message."""
        assert self._transport is not None
        self._transport.write(frame(TEXT_FRAME, payload))

    async def ask(self, payload: bytes, kind: str) -> dict[str, Any]:
        """Say something and return what is said next, which must be of type ``kind``."""
        answer = self.next()
        self.say(payload)
        return expect(await answer, kind)

    def next(self) -> Awaitable[bytes]:
        """What is said next."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.fail_with(future)
        return future

    def fail_with(self, future: asyncio.Future[bytes]) -> None:
        """Let the loss of this connection be ``future``'s failure."""
        self._waits_for = future

    async def leave(self) -> None:
        """Say goodbye and return once TCP is gone."""
        if self.is_gone:
            return
        assert self._transport is not None
        self._gone = asyncio.get_running_loop().create_future()
        self._says_goodbye = True
        self._transport.write(frame(CLOSE_FRAME, GOODBYE))
        await self._gone

    def vanish(self) -> None:
        """End TCP at once."""
        if self._transport is not None:
            self._transport.abort()

    def _control(self, kind: int, payload: bytes) -> None:
        assert self._transport is not None
        if kind == PING_FRAME:
            self._transport.write(frame(PONG_FRAME, payload))
        elif kind == CLOSE_FRAME:
            # The server ends TCP once both sides have said it.
            if not self._says_goodbye:
                self._transport.write(frame(CLOSE_FRAME, payload[:2]))
        else:
            raise Unexpected(f"a frame {kind:#x}: {payload[:200]!r}")

    def _answer(self, payload: bytes) -> None:
        if self._waits_for is None or self._waits_for.done():
            raise Unexpected(f"nobody asked for {payload[:200]!r}")
        self._waits_for.set_result(payload)


class Home(Peer):
    """A home: answers each client-connected with session-ready, hands the rest to the conversations by session."""

    HEAD = texts.HOME_HEAD

    def __init__(self) -> None:
        super().__init__()
        self.remote_id = texts.remote_id()
        self.sessions: dict[bytes, Callable[[bytes], None]] = {}

    async def arrive(self, place: Place) -> None:
        """Connect and register."""
        await place.connect(self)
        registered = await self.ask(texts.register(self.remote_id), "registered")
        if registered["remoteId"] != self.remote_id:
            raise Unexpected(f"registered as {registered['remoteId']}")
        self.hear = self._serve

    def _serve(self, payload: bytes) -> None:
        # All sides write "sessionId" last: no JSON to be parsed here.
        heard = self.sessions.get(payload[-34:-2])
        if heard is not None:
            heard(payload)
        elif payload.startswith(b'{"type":"client-connected"'):
            self.say(texts.session_ready(expect(payload, "client-connected")["sessionId"]))


def expect(payload: bytes, kind: str) -> dict[str, Any]:
    """The message in ``payload``, which must be of type ``kind``."""
    message: dict[str, Any] = json.loads(payload)
    if message.get("type") != kind:
        raise Unexpected(f"{kind} was due, and {payload[:200]!r} came")
    return message


async def side_by_side(works: Iterable[Callable[[], Awaitable[None]]], at_once: int) -> None:
    """Do all the works, ``at_once`` of them at any time; the first failure ends all."""
    queue = iter(works)

    async def worker() -> None:
        for work in queue:
            await work()

    async with asyncio.timeout(WITHIN * 4), asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
