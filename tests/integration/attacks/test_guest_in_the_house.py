"""A guest of a household holds a hundred connections that register junk; the home itself loses its own for a moment."""

from __future__ import annotations

from contextlib import AsyncExitStack

from tests.integration.attacks.base import AttackTest
from tests.support.attackers import Link, Server

ADDRESS = "192.0.2.1"


class GuestInTheHouseTest(AttackTest):
    """No guest's connections keep the home out."""

    def test_junk_homes(self) -> None:
        async def attack(server: Server) -> None:
            async with AsyncExitStack() as stack:
                async with Link(server, ADDRESS) as home:
                    await home.open()
                    await home.register("HOME-0001")
                    await self._fill(server, stack, 120)
                # Whatever the home leaves, the guest takes.
                await self._fill(server, stack, 10)
                async with Link(server, ADDRESS) as home:
                    await home.open()
                    self.assertEqual((await home.register("HOME-0001"))["type"], "registered")

        self.play(attack)

    @staticmethod
    async def _fill(server: Server, stack: AsyncExitStack, count: int) -> None:
        for _ in range(count):
            junk = await stack.enter_async_context(Link(server, ADDRESS))
            if b" 101 " in await junk.upgrade():
                await junk.say("register-server", remoteId=f"JUNK-{id(junk):x}")

    def test_junk_sockets(self) -> None:
        async def attack(server: Server) -> None:
            async with AsyncExitStack() as stack:
                for _ in range(150):
                    await (await stack.enter_async_context(Link(server, ADDRESS))).upgrade()
                async with Link(server, ADDRESS) as home:
                    await home.open()
                    self.assertEqual((await home.register("HOME-0001"))["type"], "registered")

        self.play(attack)
