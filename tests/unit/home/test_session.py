"""One client's connection, without a client: which of its data channels are served."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from unittest import TestCase, mock

from ma_signaling.home.channel import HIGH_WATER, Channel, ChannelClosed
from ma_signaling.home.identity import load_or_create
from ma_signaling.home.limits import Limits
from ma_signaling.home.memory import Memory
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
    def play(self, scenario: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        """Run a scenario with a session that has at most two channels at once."""

        async def run() -> None:
            with tempfile.TemporaryDirectory() as directory:
                identity = load_or_create(Path(directory))
            nothing: Any = mock.Mock()
            session: Any = Session(
                identity,
                nothing,
                Limits(channels=2, candidates=4, stalled_seconds=0.01),
                Memory(2**20).share(),
                [],
                nothing,
                lambda: True,
                nothing,
            )
            with mock.patch.object(session._services, "api", until_closed):
                await scenario(session)
            await session.close()

        asyncio.run(asyncio.wait_for(run(), 20))

    def test_only_so_many_at_once(self) -> None:
        async def scenario(session: Any) -> None:
            with mock.patch.object(session._services, "of", return_value=until_closed):
                channels = [opened(session, label) for label in ("ma-api", "sendspin", "http_proxy")]
                self.assertEqual([each.readyState for each in channels], ["open", "open", "closed"])
                await asyncio.sleep(0)
                channels[1].close()
                await asyncio.wait(session._tasks, return_when=asyncio.FIRST_COMPLETED)
                self.assertEqual(opened(session, "http_proxy").readyState, "open")
                await asyncio.sleep(0)

        self.play(scenario)

    def test_who_takes_nothing_is_hung_up_on(self) -> None:
        """Closing the channel alone would free nothing: aiortc keeps what it has not sent."""

        async def serve(channel: Channel) -> None:
            with contextlib.suppress(ChannelClosed):
                await channel.send(*[b"x" * HIGH_WATER] * 3)

        async def scenario(session: Any) -> None:
            over = asyncio.Event()
            session._ended = over.set
            with (
                mock.patch.object(
                    session._services,
                    "of",
                    side_effect=lambda label: serve if label == "http_proxy" else None,
                ),
                mock.patch("ma_signaling.home.session.CLOSE_SECONDS", 0.05),
            ):
                if is_main_first:
                    opened(session, "ma-api")
                opened(session, "http_proxy")
                await asyncio.wait(session._tasks, return_when=asyncio.FIRST_COMPLETED)
                if not is_main_first:
                    opened(session, "ma-api")
                await over.wait()

        for is_main_first in (True, False):
            with self.subTest(is_main_first=is_main_first):
                self.play(scenario)

    def test_the_first_unknown_label_is_the_api(self) -> None:
        """As with Music Assistant's own remote access."""

        async def scenario(session: Any) -> None:
            self.assertEqual(opened(session, "my-api").readyState, "open")
            self.assertEqual(opened(session, "ma-api").readyState, "closed")

        self.play(scenario)

    def test_so_many_addresses_are_tried(self) -> None:
        """Those of the offer and those that follow count together."""
        named = [f"candidate:{number} 1 udp 1 192.0.2.{number} 9 typ host" for number in range(8)]

        async def scenario(session: Any) -> None:
            sdp = "\r\n".join(["v=0", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:0"])
            offer = "\r\n".join([sdp, *(f"a={candidate}" for candidate in named[:3]), ""])
            with mock.patch.object(session, "_peer", mock.AsyncMock()):
                await session._answer(offer)
            session._mid = ""
            for candidate in named:
                await session.candidate({"candidate": candidate})
            self.assertEqual(len(session._early), 4)

        self.play(scenario)

    def test_ended_as_soon_as_a_channel_is_open(self) -> None:
        """Python complains of coroutines that nobody waits for."""

        async def scenario(session: Any) -> None:
            opened(session, "ma-api")

        self.play(scenario)
        gc.collect()
