"""HTTP requests of a client that reads nothing, and what a player is introduced with."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Self
from unittest import TestCase

from ma_signaling.home.channel import HIGH_WATER, Channel
from ma_signaling.home.limits import Limits
from ma_signaling.home.memory import Memory
from ma_signaling.home.proxy_answer import Interrupted, ProxyAnswer
from ma_signaling.home.proxy_messages import ProxyHead
from ma_signaling.home.services import Services
from tests.unit.home.test_channel import FakeDataChannel

SIZE = 1024
REQUEST = json.dumps({"type": "http-proxy-request", "id": "1", "method": "GET", "path": "/"})


class QuietSocket:
    """A WebSocket on which nothing comes."""

    closed = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        return await asyncio.Event().wait()

    async def close(self) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


class LongAnswer:
    """Counts its parts as they are made."""

    def __init__(self) -> None:
        self.parts = 0

    @contextlib.asynccontextmanager
    async def fetch(self, *_: object) -> AsyncIterator[ProxyAnswer]:
        """Answer a request."""
        yield ProxyAnswer(ProxyHead(200), 4 * HIGH_WATER, self._body())

    async def websocket(self, *_: object) -> QuietSocket:
        """Return one on which nothing comes."""
        return QuietSocket()

    async def _body(self) -> AsyncIterator[bytes]:
        for _ in range(4 * HIGH_WATER // SIZE):
            self.parts += 1
            yield b"x" * SIZE


class CutAnswer(LongAnswer):
    """Answers with a body that breaks off."""

    async def _body(self) -> AsyncIterator[bytes]:
        yield b"x" * SIZE
        raise Interrupted


class RequestsTest(TestCase):
    def test_a_body_that_breaks_off(self) -> None:
        """The client hears of it at once, and doesn't wait for the rest."""

        async def run() -> None:
            home: Any = CutAnswer()
            share = Memory(2**30).share()
            services = Services(home, Limits(), share)
            fake: Any = FakeDataChannel()
            serving = asyncio.create_task(services.api(Channel(fake, share, SIZE, 2**20, 30)))
            await asyncio.sleep(0)
            fake.emit("message", REQUEST)
            for _ in range(20):
                await asyncio.sleep(0)
            last = json.loads(fake.sent[-1])
            self.assertEqual((last.get("id"), last.get("status")), ("1", HTTPStatus.BAD_GATEWAY))
            fake.close()
            await serving
            await services.close()

        asyncio.run(asyncio.wait_for(run(), 20))

    def test_what_waits_for_the_client_is_bounded(self) -> None:
        async def run(name: str) -> None:
            home: Any = LongAnswer()
            share = Memory(2**30).share()
            services = Services(home, Limits(requests=1, waiting_requests=5), share)
            fake: Any = FakeDataChannel()
            channel = Channel(fake, share, SIZE, 2**20, 30)
            serving = asyncio.create_task(getattr(services, name)(channel))
            for _ in range(100):
                fake.emit("message", REQUEST)
                await asyncio.sleep(0)
            for _ in range(10):
                await asyncio.sleep(0)
            self.assertEqual(len(services._requests), 10)
            self.assertLess(home.parts, HIGH_WATER // SIZE + 2)
            channel.close()
            await serving
            await services.close()

        for name in ("_http_proxy", "api"):
            asyncio.run(asyncio.wait_for(run(name), 20))
