"""Whether a connection is over, or its channel alone: what ends both closes the channel first."""

from __future__ import annotations

import asyncio
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.webrtc import connection
from ma_signaling.webrtc.connection import ConnectionFailed, HomeConnection


class OverTest(SynchronousTestCase):
    """After the end of the channel."""

    def is_over(self, *, is_hung_up: bool) -> bool:
        async def play() -> bool:
            home = HomeConnection([], channel="ma-api")
            home._channel.emit("close")
            with self.assertRaises(ConnectionFailed):
                await home.opened()
            asking = asyncio.create_task(home.is_over())
            await asyncio.sleep(0)
            assert not asking.done()
            if is_hung_up:
                await home.close()
            try:
                return await asking
            finally:
                await home.close()

        return asyncio.run(play())

    def test_hung_up(self) -> None:
        assert self.is_over(is_hung_up=True)

    def test_channel_alone(self) -> None:
        with mock.patch.object(connection, "HANG_UP_SECONDS", 0.01):
            assert not self.is_over(is_hung_up=False)
