"""HTTP requests of a client that reads nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest import TestCase, mock

from ma_signaling.home.channel import HIGH_WATER, Channel
from ma_signaling.home.limits import Limits
from ma_signaling.home.proxy_messages import ProxyResponse
from ma_signaling.home.services import Services
from tests.unit.home.test_channel import FakeDataChannel

SIZE = 1024
REQUEST = json.dumps({"type": "http-proxy-request", "id": "1", "method": "GET", "path": "/"})


class Body(bytes):
    """Counts its parts as they are made."""

    parts = 0

    def __getitem__(self, at: Any) -> Any:
        self.parts += 1
        return super().__getitem__(at)


class RequestsTest(TestCase):
    def test_what_waits_for_the_client_is_bounded(self) -> None:
        async def run() -> None:
            body = Body(4 * HIGH_WATER)
            home: Any = mock.Mock(fetch=mock.AsyncMock(return_value=ProxyResponse(200, {}, body)))
            services = Services(home, Limits(requests=1, waiting_requests=5))
            fake: Any = FakeDataChannel()
            channel = Channel(fake, SIZE, 2**20, 30)
            serving = asyncio.create_task(services._http_proxy(channel))
            for _ in range(100):
                fake.emit("message", REQUEST)
                await asyncio.sleep(0)
            for _ in range(10):
                await asyncio.sleep(0)
            self.assertEqual(len(services._requests), 10)
            self.assertLess(body.parts, HIGH_WATER // SIZE + 2)
            channel.close()
            await serving
            await services.close()

        asyncio.run(asyncio.wait_for(run(), 20))
