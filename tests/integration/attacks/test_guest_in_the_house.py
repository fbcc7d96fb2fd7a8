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
                    for number in range(120):
                        junk = await stack.enter_async_context(Link(server, ADDRESS))
                        if b" 101 " in await junk.upgrade():
                            await junk.say("register-server", remoteId=f"JUNK-{number:04}")
                async with Link(server, ADDRESS) as home:
                    await home.open()
                    self.assertEqual((await home.register("HOME-0001"))["type"], "registered")

        self.play(attack)

    def test_junk_sockets(self) -> None:
        async def attack(server: Server) -> None:
            async with AsyncExitStack() as stack:
                for _ in range(150):
                    await (await stack.enter_async_context(Link(server, ADDRESS))).upgrade()
                async with Link(server, ADDRESS) as home:
                    await home.open()
                    self.assertEqual((await home.register("HOME-0001"))["type"], "registered")

        self.play(attack)
