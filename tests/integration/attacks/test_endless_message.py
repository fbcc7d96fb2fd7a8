"""A client of the home's agent that begins a message, and never ends it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from unittest import TestCase

from aiortc.rtcsctptransport import DataChunk

from ma_signaling.testing import Client, eventually
from tests.support.home_case import play
from tests.support.home_process import HomeProcess
from tests.support.music_assistant_stand_in import MusicAssistantStandIn
from tests.support.server_process import ServerProcess


class EndlessMessageTest(TestCase):
    def test_a_message_without_an_end(self) -> None:
        """aiortc would keep all of it, and go through it again for each part that comes."""

        async def scenario(
            server: ServerProcess, home: HomeProcess, assistant: MusicAssistantStandIn
        ) -> None:
            async with (
                Client(server.url, home.remote_id) as client,
                Client(server.url, home.remote_id) as other,
            ):
                await client.connect()
                await other.connect()
                association: Any = client.sessions[client.session_id].sctp
                part = DataChunk(flags=2)
                part.tsn, part.protocol, part.user_data = association._local_tsn, 51, b"x"
                while "cut off" not in home.log():
                    for _ in range(100):
                        with contextlib.suppress(ConnectionError):
                            await association._send_chunk(part)
                        part.flags, part.tsn = 0, part.tsn + 1
                    await asyncio.sleep(0.05)
                assert await other.ask("{}")
                await eventually(lambda: assistant.open_sockets == 1, "an end of the other session")

        play(scenario)
