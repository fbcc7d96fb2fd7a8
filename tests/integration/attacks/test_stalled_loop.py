"""Strangers keep the event loop busy, so that the pong of a living home is read after the timer that waits for it."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from tests.integration.attacks.base import AttackTest
from tests.support.attackers import TEXT, Flood, Link, Server, frame, message, send_floods
from tests.support.webrtc_peers import eventually

REMOTE_ID = "HOME-0001"
FRAGMENTS = frame(b"{", TEXT, fin=False) + frame(b"", 0, fin=False) * 250 + frame(b'"type":"pong"}', 0)
"""One message, in as many frames as a message may have."""

HOMES = 490
"""Each floods its own session, and claims the victim's Remote ID in the middle of it: some 160 MB in all."""

PIPELINE = b"GET /api/check/HOME HTTP/1.1\r\nHost: h\r\n\r\n" * 2000


class StalledLoopTest(AttackTest):
    """No verdict on a home is taken before what it has sent is read."""

    options = ("--takeover-timeout", "1")

    def test_fragments_and_pipelines(self) -> None:
        floods = [
            Flood(f"198.51.100.{number % 2}", FRAGMENTS * 100) if number % 3 else Flood("", PIPELINE * 4)
            for number in range(75)
        ]

        async def attack(server: Server) -> None:
            await self._contend(server, lambda: asyncio.to_thread(send_floods, server, floods))

        self.play(attack)

    def test_homes_that_flood_their_own_sessions(self) -> None:
        async def attack(server: Server) -> None:
            async with AsyncExitStack() as stack:
                sending = []
                for number in range(HOMES):
                    block = f"198.{51 + number // 250}.{number % 250}"
                    home = await stack.enter_async_context(Link(server, f"{block}.1"))
                    await home.open()
                    await home.register(f"OTHER-{number:04}")
                    client = await stack.enter_async_context(Link(server, f"{block}.2"))
                    await client.open()
                    await client.say("connect-request", remoteId=f"OTHER-{number:04}")
                    session = (await home.hear("client-connected"))["sessionId"]
                    each = message("ice-candidate", sessionId=session, data="x")
                    claim = message("register-server", remoteId=REMOTE_ID)
                    sending.append(partial(home.send, each * 400 + claim + each * 3400))
                await self._contend(
                    server, lambda: asyncio.gather(*(send() for send in sending), return_exceptions=True)
                )

        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        # By TCP alone, for the time that it takes; the floods above come by TLS, too.
        self.play(attack, secure=(False,))

    async def _contend(self, server: Server, flood: Callable[[], Awaitable[object]]) -> None:
        """Let a stranger claim the Remote ID of a home that lives, while the floods are sent."""
        async with Link(server, "192.0.2.1") as home, Link(server, "203.0.113.1") as stranger:
            await home.open()
            await home.register(REMOTE_ID)
            obeying = asyncio.create_task(home.obey())
            await stranger.open()
            sending = asyncio.ensure_future(flood())
            await asyncio.sleep(0.2)
            answer = await stranger.register(REMOTE_ID)
            self.assertEqual((answer["type"], answer.get("code")), ("error", "remote-id-taken"))
            await sending
            await home.say("ping")
            await eventually(lambda: home.end() or {"type": "pong"} in home.heard, "a pong")
            self.assertIsNone(home.end())
            obeying.cancel()
