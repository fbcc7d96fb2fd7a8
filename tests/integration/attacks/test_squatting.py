"""A squatter registers a home's Remote ID while its owner is away, answers every ping, and keeps trying afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import count

from ma_signaling.testing import Home
from tests.integration.attacks.base import AttackTest
from tests.support.attackers import Link, Server

OWNED_WITHIN = 30.0
"""Seconds within which whoever has the key has the Remote ID (docs/protocol.md, *Takeover*)."""

ACCOMPLICES = 12


class SquattingTest(AttackTest):
    """Possession of the key decides, in one server, by TCP and by TLS."""

    options = ("--proof-networks", "127.0.0.0/8")

    def test_squatter(self) -> None:
        async def attack(server: Server) -> None:
            async with Link(server, "198.51.100.66") as squatter, Home(server.url) as owner:
                owner.trust = server.context or True
                await squatter.open()
                self.assertEqual((await squatter.register(owner.remote_id))["type"], "registered")
                obeying = asyncio.create_task(squatter.obey())
                await owner.start(within=OWNED_WITHIN)
                await obeying
                self.assertEqual((squatter.end() or {})["code"], 1013)
                for address in ("198.51.100.66", "192.0.2.1"):
                    async with Link(server, address) as again:
                        await again.open()
                        self.assertEqual((await again.register(owner.remote_id))["code"], "remote-id-taken")
                self.assertIsNone(owner.close_code)

        self.play(attack)

    def test_accomplices(self) -> None:
        """Accomplices from many addresses contend without a pause, while the owner asks."""

        async def attack(server: Server) -> None:
            numbers = count(1)

            async def contend(remote_id: str) -> None:
                while True:
                    with contextlib.suppress(OSError, EOFError, TimeoutError):
                        number = next(numbers)
                        async with Link(server, f"203.0.{number // 250}.{number % 250 + 1}") as link:
                            await link.open()
                            await link.register(remote_id)

            async with Link(server, "198.51.100.66") as squatter, Home(server.url) as owner:
                await squatter.open()
                await squatter.register(owner.remote_id)
                tasks = [asyncio.create_task(squatter.obey())]
                tasks += [asyncio.create_task(contend(owner.remote_id)) for _ in range(ACCOMPLICES)]
                await asyncio.sleep(3)
                await owner.start(within=OWNED_WITHIN)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        self.play(attack, secure=(False,))
