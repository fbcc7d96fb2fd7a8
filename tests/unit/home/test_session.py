"""One client's connection, without a client: which of its data channels are served."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase, mock

from ma_signaling.home.channel import Channel
from ma_signaling.home.identity import load_or_create
from ma_signaling.home.limits import Limits
from ma_signaling.home.session import Session
from tests.unit.home.test_channel import FakeDataChannel


async def until_closed(channel: Channel) -> None:
    """Serve a channel."""
    async for _ in channel.messages():
        pass


def opened(session: Any, label: str) -> FakeDataChannel:
    """Have the client open a channel."""
    channel: Any = FakeDataChannel()
    channel.label = label
    session._opened(channel)
    return channel  # type: ignore[no-any-return]


class ChannelsTest(TestCase):
    def test_only_so_many_at_once(self) -> None:
        async def run() -> None:
            with tempfile.TemporaryDirectory() as directory:
                identity = load_or_create(Path(directory))
            nothing: Any = mock.Mock()
            session = Session(identity, nothing, Limits(channels=2), [], nothing, nothing)
            with mock.patch.object(session._services, "of", return_value=until_closed):
                channels = [opened(session, label) for label in ("ma-api", "sendspin", "http_proxy")]
                self.assertEqual([each.readyState for each in channels], ["open", "open", "closed"])
                await asyncio.sleep(0)
                channels[1].close()
                await asyncio.wait(session._tasks, return_when=asyncio.FIRST_COMPLETED)
                self.assertEqual(opened(session, "http_proxy").readyState, "open")
                await asyncio.sleep(0)
            await session.close()

        asyncio.run(asyncio.wait_for(run(), 20))
