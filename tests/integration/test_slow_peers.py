"""Who is called dead, and who isn't, where the kernel matters: a suspended server, and peers that read nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.testing import eventually as happens
from tests.support.memory_server import PONG, TEXT, UPGRADE, frame
from tests.support.server_process import ServerProcess, eventually, registered, talk

WITHIN = 40.0


@contextmanager
def websocket(port: int) -> Iterator[socket.socket]:
    """A WebSocket made of bytes, which reads only what a test reads."""
    with socket.create_connection(("127.0.0.1", port), WITHIN) as peer:
        peer.sendall(UPGRADE + b"\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            received = peer.recv(1)
            assert received, head
            head += received
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield peer


def is_cut(peer: socket.socket) -> bool:
    """Send a pong that nobody asked for; whether the connection is gone."""
    try:
        peer.sendall(frame(PONG))
    except OSError:
        return True
    return False


class SuspendedTest(SynchronousTestCase):
    """`kill -STOP`, for longer than any ping, deadline or grace may take, and `kill -CONT`."""

    def test_nobody_is_dropped(self) -> None:
        async def conversation(session: aiohttp.ClientSession) -> None:
            homes = [await registered(session, server.url, f"HOME{number}") for number in range(30)]
            pings = Counter[int]()
            readers = [asyncio.create_task(self._read(home, pings, i)) for i, home in enumerate(homes)]
            client = await self._lose_a_home(session)
            await happens(lambda: "its grace time begins" in server.log(), "a home that is lost")
            # One that has just begun its request, and goes on while the server stands still.
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(UPGRADE)
            await writer.drain()
            os.kill(server.pid, signal.SIGSTOP)
            writer.write(b"\r\n")
            await writer.drain()
            returning, its_writer = await asyncio.open_connection("127.0.0.1", server.port)
            its_writer.write(UPGRADE + b"\r\n" + frame(TEXT, b'{"type":"register-server","remoteId":"LOST"}'))
            await asyncio.sleep(12)
            os.kill(server.pid, signal.SIGCONT)
            assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
            writer.close()
            async with asyncio.timeout(WITHIN):
                heard = await returning.readuntil(b'"offer"')
            assert heard.count(b'"type":"client-connected"') == 1, heard
            # With the second one, whoever has not answered the first is dropped.
            due = {number: pings[number] + 2 for number in range(len(homes))}
            await happens(lambda: all(pings[number] >= due[number] for number in due), "pings")
            assert server.get("/health")["servers"] >= len(homes)
            its_writer.close()
            await client.close()
            for task in readers:
                task.cancel()

        with ServerProcess(
            "--ping-interval", "2", "--grace", "4", "--park", "4", "--start-grace", "0"
        ) as server:
            self.url = server.url
            talk(conversation)
            for fate in ("no answer to a ping", "did not return"):
                assert fate not in server.log(), server.log()

    url = ""

    async def _lose_a_home(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        """Begin a call with a home that is gone before its answer; returns the client."""
        home: Any = await registered(session, self.url, "LOST")
        client = await session.ws_connect(self.url)
        await client.send_json({"type": "connect-request", "remoteId": "LOST"})
        announced = await home.receive_json()
        await home.send_json({"type": "session-ready", "sessionId": announced["sessionId"]})
        while (await client.receive_json())["type"] != "connected":
            pass
        await client.send_json({"type": "offer", "data": {}})
        while (await home.receive_json())["type"] != "offer":
            pass
        home._response.connection.transport.abort()
        return client

    @staticmethod
    async def _read(home: Any, pings: Counter[int], number: int) -> None:
        """Answer pings, as aiohttp does while somebody receives, and count them."""
        async for message in home:
            pings[number] += message.json() == {"type": "ping"}


class SilentReaderTest(SynchronousTestCase):
    """Clients that read nothing, and pretend to live by pongs that nobody asked for."""

    def test_pongs_without_reading(self) -> None:
        with ServerProcess("--ping-interval", "1") as server, websocket(server.port) as client:

            def happened() -> bool:
                time.sleep(0.5)
                return is_cut(client)

            eventually(happened, server.log)
            assert "no answer to a ping" in server.log()
