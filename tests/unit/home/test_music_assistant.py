"""What is said when Music Assistant cannot be reached."""

from __future__ import annotations

import asyncio
from unittest import TestCase, mock

import aiohttp
from yarl import URL

from ma_signaling.home.limits import Limits
from ma_signaling.home.memory import Memory
from ma_signaling.home.music_assistant import MusicAssistant, Unreachable


def refusal(status: int) -> aiohttp.WSServerHandshakeError:
    """Return what aiohttp raises for an answer with this status."""
    return aiohttp.WSServerHandshakeError(mock.Mock(), (), status=status)


class AwayTest(TestCase):
    def said(self, *attempts: tuple[str, Exception | None]) -> list[str]:
        """Return what is logged as WebSockets are opened at these paths, with these results."""

        async def run() -> None:
            async with MusicAssistant(URL("http://127.0.0.1:1"), Limits()) as home:
                for path, problem in attempts:
                    opened = mock.AsyncMock(side_effect=problem, return_value=mock.Mock())
                    with mock.patch.object(home._sockets, "ws_connect", opened):
                        try:
                            await home.websocket(path, Memory(1).share())
                        except Unreachable:
                            self.assertIsNotNone(problem)

        with self.assertLogs("ma_signaling.home.music_assistant", "INFO") as logs:
            asyncio.run(run())
        return [line.partition("assistant:")[2] for line in logs.output]

    def test_once_each(self) -> None:
        self.assertEqual(
            self.said(
                ("/ws", OSError("it is off")),
                ("/sendspin", OSError("it is off")),
                ("/ws", refusal(502)),
                ("/ws", None),
                ("/ws", None),
                ("/ws", refusal(404)),
            ),
            [
                "Music Assistant cannot be reached: it is off",
                "Music Assistant can be reached again",
                "Music Assistant cannot be reached: it answers 404 at /ws",
            ],
        )

    def test_a_path_that_an_older_one_lacks(self) -> None:
        said = self.said(("/live_announcement", refusal(404)), ("/ws", None), ("/ws", OSError("it is off")))
        self.assertEqual(said, ["Music Assistant cannot be reached: it is off"])
