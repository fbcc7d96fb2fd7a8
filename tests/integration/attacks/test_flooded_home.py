"""Clients flood a home that is busy and reads nothing for a while: its gateway handles one message at a time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.integration.attacks.base import AttackTest
from tests.support.attackers import Link, Server, message

CLIENTS = 8
BUSY_SECONDS = 22.0
"""More than twice what a client may take nothing for: in the first half, buffers on the way still take something."""


class FloodedHomeTest(AttackTest):
    """What clients send never costs a home its connection."""

    def test_busy_home(self) -> None:
        async def attack(server: Server) -> None:
            async with AsyncExitStack() as stack:
                home = await stack.enter_async_context(Link(server, "192.0.2.1", deaf=True))
                await home.open()
                await home.register("HOME-0001")
                clients = []
                for number in range(CLIENTS):
                    client = await stack.enter_async_context(Link(server, f"198.51.100.{number + 1}"))
                    await client.open()
                    await client.say("connect-request", remoteId="HOME-0001")
                    session = (await home.hear("client-connected"))["sessionId"]
                    await home.say("session-ready", sessionId=session)
                    await client.hear("connected")
                    clients.append(client)
                flood = message("ice-candidate", data={"candidate": "x" * 3000}) * 160
                await asyncio.gather(*(client.send(flood) for client in clients), return_exceptions=True)
                await asyncio.sleep(BUSY_SECONDS)
                await home.say("ping")
                self.assertEqual((await home.hear("pong", "closed"))["type"], "pong")

        self.play(attack)
