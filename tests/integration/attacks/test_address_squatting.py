"""A stranger who shares the home's address registers its Remote ID: behind a carrier's NAT everybody shares one."""

from __future__ import annotations

import asyncio

from tests.integration.attacks.base import AttackTest
from tests.support.attackers import Link, Server

SHARED = {
    "an IPv4 address": ("192.0.2.1",) * 2,
    "a /64": ("2001:db8:1:2::1", "2001:db8:1:2::2"),
    "NAT64": ("64:ff9b::c000:201",) * 2,
}


class AddressSquattingTest(AttackTest):
    """The address decides nothing: the home that lives keeps its Remote ID."""

    def test_shared_address(self) -> None:
        async def attack(server: Server) -> None:
            for what, (own, strangers) in SHARED.items():
                async with Link(server, own) as home, Link(server, strangers) as stranger:
                    await home.open()
                    self.assertEqual((await home.register("HOME-0001"))["type"], "registered")
                    obeying = asyncio.create_task(home.obey())
                    await stranger.open()
                    answer = await stranger.register("HOME-0001")
                    self.assertEqual((answer["type"], answer.get("code")), ("error", "remote-id-taken"), what)
                    self.assertEqual((await stranger.hear("closed"))["code"], 1013, what)
                    self.assertIsNone(home.end(), what)
                    obeying.cancel()

        self.play(attack)
