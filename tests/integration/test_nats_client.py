"""How a node reads and writes on its connection to NATS, against a server that says what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nats.errors import Error as NatsError
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.cluster.nats_client import NodeClient, run_at_once

INFO = b'INFO {"server_id":"x","version":"2.10.0","headers":true,"max_payload":1048576}\r\n'

WITHIN = 10.0


class FakeServer:
    """Lets one client in; from then on a test speaks for it."""

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.at_once = b""
        """What it sends right behind its first PONG."""
        self.leaves_at_once = False
        self._server: asyncio.Server

    async def start(self) -> str:
        """Listen, and return its URL."""
        self._server = await asyncio.start_server(self._let_in, "127.0.0.1", 0)
        return f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        writer.write(INFO)
        while not (await reader.readline()).startswith(b"PING"):
            pass
        writer.write(b"PONG\r\n" + self.at_once)
        if self.leaves_at_once:
            writer.write_eof()

    def close(self) -> None:
        self.writer.close()
        self._server.close()


class Connection:
    """A client, connected to a `FakeServer`."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.taken: list[tuple[bytes, bytes, bytes | None]] = []
        self.has_closed = asyncio.Event()
        self._has_taken = asyncio.Event()
        self.client = NodeClient(self._take)

    def _take(self, client: NodeClient, subject: bytes, payload: bytes, headers: bytes | None) -> None:
        assert client is self.client
        self.taken.append((subject, payload, headers))
        self._has_taken.set()

    async def begin(self) -> None:
        async def closed() -> None:
            self.has_closed.set()

        async def error(problem: Exception) -> None: ...

        await self.client.connect(
            await self.server.start(), allow_reconnect=False, closed_cb=closed, error_cb=error
        )

    async def until_closed(self) -> None:
        async with asyncio.timeout(WITHIN):
            await self.has_closed.wait()

    async def until_taken(self, number: int) -> None:
        async with asyncio.timeout(WITHIN):
            while len(self.taken) < number:
                self._has_taken.clear()
                await self._has_taken.wait()


class NodeClientTest(SynchronousTestCase):
    """All that a server sends is taken, in order and however it is cut; what ends a connection is noticed."""

    def play(self, scenario: Callable[[Connection], Awaitable[None]], at_once: bytes = b"") -> None:
        async def whole() -> None:
            connection = Connection()
            connection.server.at_once = at_once
            await connection.begin()
            try:
                await scenario(connection)
            finally:
                await connection.client.close()
                connection.server.close()

        asyncio.run(whole())

    def test_cut_anywhere(self) -> None:
        headers = b"NATS/1.0 503\r\n\r\n"
        status = b"HMSG c 3 %d %d\r\n%s\r\n" % (len(headers), len(headers), headers)
        sent = b"MSG a 1 5\r\n\r\nPI!\r\nPING\r\nMSG b 2 r 0\r\n\r\n" + INFO + status + b"MSG d 4 2\r\nhi\r\n"
        expected = [(b"a", b"\r\nPI!", None), (b"b", b"", None), (b"c", b"", headers), (b"d", b"hi", None)]

        async def scenario(connection: Connection) -> None:
            for size in (1, 2, 3, 7, len(sent)):
                connection.taken.clear()
                for start in range(0, len(sent), size):
                    connection.server.writer.write(sent[start : start + size])
                    await connection.server.writer.drain()
                    await asyncio.sleep(0)
                await connection.until_taken(len(expected))
                assert connection.taken == expected, size
                assert await asyncio.wait_for(connection.server.reader.readline(), WITHIN) == b"PONG\r\n"

        self.play(scenario)

    def test_behind_the_greeting(self) -> None:
        """What comes before the client reads as it does later is not lost."""

        async def scenario(connection: Connection) -> None:
            connection.server.writer.write(b"lo\r\n")
            await connection.until_taken(1)
            assert connection.taken == [(b"a", b"hello", None)]

        self.play(scenario, b"MSG a 1 5\r\nhel")

    def test_what_ends_it(self) -> None:
        async def leave(connection: Connection) -> None:
            connection.server.writer.close()
            await connection.until_closed()

        async def reset(connection: Connection) -> None:
            connection.server.writer.transport.abort()
            await connection.until_closed()

        async def complain(connection: Connection) -> None:
            connection.server.writer.write(b"-ERR 'Stale Connection'\r\n")
            await connection.until_closed()

        async def babble(connection: Connection) -> None:
            connection.server.writer.write(b"HTTP/1.1 200 OK\r\n")
            await connection.until_closed()

        for scenario in (leave, reset, complain, babble):
            self.play(scenario)

    def test_ends_behind_the_greeting(self) -> None:
        async def scenario() -> None:
            connection = Connection()
            connection.server.leaves_at_once = True
            await connection.begin()
            await connection.until_closed()
            connection.server.close()

        asyncio.run(scenario())

    def test_permissions(self) -> None:
        """A complaint that ends nothing."""

        async def scenario(connection: Connection) -> None:
            connection.server.writer.write(
                b"-ERR 'Permissions Violation for Subscription to \"a\"'\r\nMSG a 1 2\r\nhi\r\n"
            )
            await connection.until_taken(1)
            assert not connection.has_closed.is_set()

        self.play(scenario)

    def test_full(self) -> None:
        """Who sends waits while the server reads nothing."""

        async def scenario(connection: Connection) -> None:
            connection.server.reader._transport.pause_reading()  # type: ignore[attr-defined]

            async def say_much() -> None:
                for _ in range(16):
                    await connection.client.say("a", bytes(1 << 20), "")
                    await connection.client.send_on()

            saying = asyncio.ensure_future(say_much())
            for _ in range(100):
                await asyncio.sleep(0)
            assert not saying.done()
            transport: Any = connection.client._transport
            assert 0 < transport._io_writer.transport.get_write_buffer_size() < 16 << 20
            saying.cancel()
            connection.server.writer.transport.abort()
            await connection.until_closed()

        self.play(scenario)


class AtOnceTest(SynchronousTestCase):
    """What is parsed must not wait."""

    def test_waits(self) -> None:
        async def waits() -> None:
            await asyncio.sleep(0)

        with self.assertRaises(NatsError):
            run_at_once(waits())
