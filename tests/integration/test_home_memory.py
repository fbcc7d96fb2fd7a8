"""Many slow clients at the home's agent, whose large answers may not fill its memory.

The connections to Music Assistant are real; the data channels take something only when they are told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any
from unittest import TestCase

from yarl import URL

from ma_signaling.home.channel import Channel
from ma_signaling.home.chunks import MAX_MESSAGE
from ma_signaling.home.limits import Limits
from ma_signaling.home.memory import Memory
from ma_signaling.home.music_assistant import RECEIVE_BUFFER, MusicAssistant
from ma_signaling.home.services import Services
from tests.support.music_assistant_stand_in import LARGE, SERVER_INFO, MusicAssistantStandIn
from tests.unit.home.test_channel import FakeDataChannel

CLIENTS = 20
LIMITS = Limits(all_bytes=4 * 2**20, api_message_bytes=3 * 2**20, body_bytes=3 * 2**20)
BOUND = LIMITS.all_bytes + LIMITS.api_message_bytes + CLIENTS * 4 * RECEIVE_BUFFER


class SlowClient:
    """A client with one data channel."""

    def __init__(self, home: MusicAssistant, memory: Memory, service: str) -> None:
        self.channel = FakeDataChannel()
        fake: Any = self.channel
        share = memory.share()
        self._services = Services(home, LIMITS, share)
        self._share = share
        channel = Channel(fake, share, MAX_MESSAGE, LIMITS.waiting_bytes, 30)
        self._serving = asyncio.create_task(getattr(self._services, service)(channel))

    def ask(self, **message: object) -> None:
        """Send a message."""
        self.channel.emit("message", json.dumps(message))

    def ask_for(self, path: str) -> None:
        """Send a request by HTTP."""
        self.ask(type="http-proxy-request", id=path, method="GET", path=path)

    async def until_sent(self, size: int) -> None:
        """Take what comes, until it is as long as this."""
        while sum(map(len, self.channel.sent)) < size:
            self.channel.drain()
            await asyncio.sleep(0.001)

    async def end(self) -> None:
        """Go."""
        self.channel.close()
        await self._serving
        await self._services.close()
        self._share.close()


class SlowClientsTest(TestCase):
    memory: Memory
    clients: list[SlowClient]

    @contextlib.asynccontextmanager
    async def come(self, service: str) -> AsyncIterator[SlowClient]:
        """Have the slow ones come, and return one that takes little."""
        self.memory = Memory(LIMITS.all_bytes)
        async with MusicAssistantStandIn() as assistant, MusicAssistant(URL(assistant.url), LIMITS) as home:
            self.clients = [SlowClient(home, self.memory, service) for _ in range(CLIENTS + 1)]
            async with asyncio.timeout(60):
                yield self.clients.pop()
            for client in self.clients:
                await client.end()
        self.assertEqual(self.memory.used, 0)

    async def until_steady(self) -> int:
        """Wait until nothing moves, and return what all hold then."""
        held, since = -1, 0
        while since < 20:
            await asyncio.sleep(0.01)
            self.assertLess(self.memory.used, BOUND)
            since = since + 1 if held == self.memory.used else 0
            held = self.memory.used
        return held

    def test_api(self) -> None:
        async def run() -> None:
            async with self.come("api") as other:
                for client in self.clients:
                    client.ask(message_id=1, command="test/large")
                self.assertGreater(await self.until_steady(), LIMITS.all_bytes // 2)
                other.ask(message_id=1)
                await other.until_sent(len(json.dumps(SERVER_INFO)) + 1)
                await other.end()
                in_base64 = len(LARGE) * 4 // 3
                await asyncio.gather(*(client.until_sent(in_base64) for client in self.clients))
                pieces = [json.loads(each) for each in self.clients[0].channel.sent[1:]]
                whole = b"".join(b64decode(each["b64"]) for each in pieces)
                self.assertEqual(json.loads(whole)["result"], LARGE)

        asyncio.run(run())

    def test_bodies(self) -> None:
        """They are read as they are taken; one whose length nobody says is read first, and not at all if too long."""

        async def run(path: str, size: int) -> None:
            async with self.come("_http_proxy") as other:
                for client in self.clients:
                    client.ask_for(path)
                await self.until_steady()
                other.ask_for("/")
                await other.until_sent(1)
                await other.end()
                await asyncio.gather(*(client.until_sent(size) for client in self.clients))
                header, *body = self.clients[0].channel.sent
                self.assertEqual(json.loads(header)["size"], len(b"".join(body)))

        asyncio.run(run("/imageproxy/large", len(LARGE)))
        asyncio.run(run("/imageproxy/endless", 1))
