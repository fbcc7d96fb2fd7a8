"""One address opens as many sessions at a home as it can, each with an offer, so that nobody else gets one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.integration.attacks.base import AttackTest
from tests.support.attackers import Link, Server

CROWD = 90
OTHERS = 25


class CrowdedHomeTest(AttackTest):
    """The address with most sessions gives its newest up for everybody who has fewer."""

    # A patient crowd has the time that many sessions take.
    options = ("--home-sessions-per-minute", "10000", "--home-sessions", "64")

    def test_one_address(self) -> None:
        async def attack(server: Server) -> None:
            async with AsyncExitStack() as stack:
                home = await stack.enter_async_context(Link(server, "192.0.2.1"))
                await home.open()
                await home.register("HOME-0001")
                obeying = asyncio.create_task(home.obey())
                for number in range(CROWD):
                    # So many in a minute are too many for one address, wherever the limit is.
                    crowd = await stack.enter_async_context(Link(server, "198.51.100.66"))
                    if b" 101 " not in await crowd.upgrade():
                        continue
                    if (await crowd.call("HOME-0001"))["type"] == "connected":
                        await crowd.say("offer", data={"type": "offer", "sdp": f"v=0 {number}"})
                answers = []
                for number in range(OTHERS):
                    other = await stack.enter_async_context(Link(server, f"203.0.113.{number + 1}"))
                    await other.open()
                    answers.append((await other.call("HOME-0001")).get("code", "connected"))
                self.assertEqual(answers, ["connected"] * OTHERS)
                obeying.cancel()

        self.play(attack)
