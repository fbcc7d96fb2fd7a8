"""One customer's block of IPv6 addresses uses the hour's relay credentials up."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.integration.attacks.base import AttackTest
from tests.support.attackers import Link, Server

IN_ALL = 30


class RelayCredentialsTest(AttackTest):
    """A block is one party, whose first credentials in an hour are never refused because of others.

    How the blocks within it share what it has, ``test_turn.py`` shows.
    """

    def test_a_whole_block(self) -> None:
        async def attack(server: Server) -> None:
            async with AsyncExitStack() as stack:
                of_the_block = [
                    await self._has_relay(server, stack, f"2001:db8:1:{number:x}::1", f"OTHER-{number}")
                    for number in range(IN_ALL + 20)
                ]
                self.assertEqual(of_the_block, [True] * IN_ALL + [False] * 20)
                for address in ("192.0.2.1", "2001:db8:2::1"):
                    self.assertTrue(
                        await self._has_relay(server, stack, address, f"HOME-{address[-1:]}{len(address)}")
                    )

        with tempfile.TemporaryDirectory() as directory:
            secret = Path(directory, "secret")
            secret.write_text("not a secret")
            turn = ("--turn-urls", "turn:192.0.2.9:3478", "--turn-secret-file", str(secret))
            self.play(attack, *turn, "--turn-total", str(IN_ALL))

    @staticmethod
    async def _has_relay(server: Server, stack: AsyncExitStack, address: str, remote_id: str) -> bool:
        home = await stack.enter_async_context(Link(server, address))
        await home.open()
        await home.register(remote_id)
        async with Link(server, address) as client:
            await client.open()
            await client.say("connect-request", remoteId=remote_id)
            session = (await home.hear("client-connected"))["sessionId"]
            await home.say("session-ready", sessionId=session, iceServers=[])
            servers = (await client.hear("connected")).get("iceServers", [])
        return any("credential" in each for each in servers)
