"""The home at the signaling server, without one: what it makes of messages."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest import TestCase, mock

from aiohttp import WSMessage, WSMsgType

from ma_signaling.home.agent import FIRST_DELAY, MAX_RETRY_AFTER, TAKEN_DELAY, Agent
from ma_signaling.home.identity import load_or_create
from ma_signaling.home.limits import Limits
from tests.unit.home.test_session import opened


class FakeSocket:
    """Keeps what is sent."""

    closed = False

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def send_str(self, text: str) -> None:
        self.sent.append(json.loads(text))


class AgentTest(TestCase):
    def play(self, scenario: Callable[[Any, FakeSocket], Awaitable[None]], sessions: int = 2) -> None:
        async def run() -> None:
            with tempfile.TemporaryDirectory() as directory:
                identity = load_or_create(Path(directory))
            assistant: Any = None
            agent: Any = Agent(
                "ws://a/ws", identity, assistant, Limits(sessions=sessions, connecting=1), ["stun:a.example"]
            )
            agent._socket = FakeSocket()
            async with asyncio.timeout(20):
                await scenario(agent, agent._socket)
                agent._socket = None
                await agent._close_sessions()
            agent._collect()

        asyncio.run(run())

    async def hear(self, agent: Any, **message: object) -> None:
        """Have a message arrive, and let what follows happen."""
        await agent._take(WSMessage(WSMsgType.TEXT, json.dumps(message), None))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def test_a_session(self) -> None:
        async def scenario(agent: Any, socket: FakeSocket) -> None:
            await self.hear(agent, type="client-connected", sessionId="1")
            ready = {"iceServers": [{"urls": ["stun:a.example"]}], "sessionId": "1", "type": "session-ready"}
            self.assertEqual(socket.sent, [ready])
            first = agent._sessions["1"]
            await self.hear(agent, type="client-connected", sessionId="1")
            self.assertIsNot(agent._sessions["1"], first)
            first._ended()
            self.assertEqual(list(agent._sessions), ["1"], "its successor has the same number")
            await self.hear(agent, type="client-disconnected", sessionId="1")
            self.assertEqual(agent._sessions, {})

        self.play(scenario)

    def test_the_oldest_that_has_not_logged_in_gives_way(self) -> None:
        async def scenario(agent: Any, socket: FakeSocket) -> None:
            for number in "123":
                await self.hear(agent, type="client-connected", sessionId=number)
            first = agent._sessions["1"]
            await self.hear(agent, type="client-connected", sessionId="4")
            self.assertEqual(list(agent._sessions), ["2", "3", "4"])
            agent._sessions["3"]._services.is_logged_in = True
            for number in "342":
                opened(agent._sessions[number], "ma-api")
            self.assertEqual(list(agent._sessions), ["2", "3"], "of those who use the API")
            opened(first, "ma-api")
            self.assertEqual(list(agent._sessions), ["2", "3"], "nobody gives way to one that has ended")

        self.play(scenario)

    def test_no_crowd_keeps_it_from_proving_itself(self) -> None:
        """The server asks in a session like a client's, at any time."""

        async def scenario(agent: Any, socket: FakeSocket) -> None:
            for number in "12":
                await self.hear(agent, type="client-connected", sessionId=number)
                opened(agent._sessions[number], "ma-api")
                agent._sessions[number]._services.is_logged_in = True
            for number in ("stranger", "proof"):
                await self.hear(agent, type="client-connected", sessionId=number)
                self.assertEqual(socket.sent[-1]["sessionId"], number)
                self.assertEqual(list(agent._sessions), ["1", "2", number])
            await self.hear(agent, type="client-connected", sessionId="3")
            with self.assertLogs("ma_signaling.home.agent", "WARNING"):
                channel = opened(agent._sessions["3"], "ma-api")
            self.assertEqual(list(agent._sessions), ["1", "2"], "the place is for no more than a proof")
            self.assertFalse(channel.sent)

        self.play(scenario)

    def waits(self, lowest: bool, closed: int | None, **error: object) -> float:
        """Return for how long the home stays away after a connection that ended so, with the least or most luck."""
        waited: list[float] = []

        async def scenario(agent: Any, socket: FakeSocket) -> None:
            async def connection(_: object) -> int | None:
                if error:
                    await agent._take(WSMessage(WSMsgType.TEXT, json.dumps({"type": "error", **error}), None))
                return closed

            async def sleep(seconds: float) -> None:
                if seconds:
                    waited.append(seconds)
                    raise asyncio.CancelledError

            agent._connection = connection
            with (
                mock.patch("asyncio.sleep", sleep),
                mock.patch("random.uniform", min if lowest else max),
                self.assertRaises(asyncio.CancelledError),
            ):
                await agent.run()

        self.play(scenario)
        return waited[0]

    def test_waits_at_least_as_long_as_it_is_told(self) -> None:
        taken = {"code": "remote-id-taken", "error": "Remote ID is in use"}
        for lowest in (True, False):
            self.assertLessEqual(self.waits(lowest, 1006), FIRST_DELAY)
            self.assertGreaterEqual(self.waits(lowest, 1013), TAKEN_DELAY)
            self.assertGreaterEqual(self.waits(lowest, 1013, **taken, retryAfter=10), TAKEN_DELAY)
            self.assertGreaterEqual(self.waits(lowest, None, **taken, retryAfter=300), 300)
            self.assertLess(self.waits(lowest, 1013, **taken, retryAfter=1e300), 2 * MAX_RETRY_AFTER)
            self.assertLess(self.waits(lowest, 1013, **taken, retryAfter="300"), 2 * TAKEN_DELAY)

    def test_comes_back_whatever_happens(self) -> None:
        """No failure ends a home that nobody is there to start again."""
        attempts = []

        async def scenario(agent: Any, socket: FakeSocket) -> None:
            async def connection(_: object) -> int | None:
                attempts.append(agent)
                if len(attempts) > 2:
                    raise asyncio.CancelledError
                raise RuntimeError

            agent._connection = connection
            with (
                mock.patch("random.uniform", return_value=0.0),
                self.assertLogs("ma_signaling.home.agent", "ERROR"),
                self.assertRaises(asyncio.CancelledError),
            ):
                await agent.run()

        self.play(scenario)
        self.assertEqual(len(attempts), 3)

    def test_nonsense(self) -> None:
        async def scenario(agent: Any, socket: FakeSocket) -> None:
            for text in (
                "{",
                "[]",
                "5",
                '"ping"',
                "{}",
                '{"type": 5}',
                '{"type": "client-connected", "sessionId": 5}',
            ):
                await agent._take(WSMessage(WSMsgType.TEXT, text, None))
            await agent._take(WSMessage(WSMsgType.BINARY, b"\xff", None))
            await self.hear(agent, type="client-connected", sessionId="1")
            for data in (
                None,
                5,
                "sdp",
                {},
                {"candidate": 5},
                {"candidate": "candidate:1 1 udp 1 a.local 9 typ host"},
            ):
                await self.hear(agent, type="ice-candidate", sessionId="1", data=data)
                await self.hear(agent, type="offer", sessionId="2", data=data)
            await self.hear(agent, type="offer", sessionId="1", data={"type": "offer", "sdp": "nonsense"})
            await asyncio.sleep(0.05)
            self.assertEqual(agent._sessions, {}, "an offer that makes no sense ends its session")
            self.assertEqual([each["type"] for each in socket.sent], ["session-ready"])

        self.play(scenario)
