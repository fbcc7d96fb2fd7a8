"""Clients that read nothing: they fill the server's memory, or the kernel's, while they answer pings."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.integration.attacks.base import AttackTest
from tests.support.attackers import PONG, Link, Server, frame, message

DEAF = 180
"""With half a send buffer for each: more than may wait for all peers together."""

READERS = 3


async def fill(home: Link, sessions: list[str], size: int) -> None:
    """Let a home send ``size`` bytes in each of its sessions."""
    for session in sessions:
        await home.send(
            message("ice-candidate", sessionId=session, data={"candidate": "x" * 50_000}) * (size // 50_000)
        )


async def read(client: Link, count: int) -> list[str]:
    """Return the types of the next ``count`` messages, as long as it is connected."""
    return [(await client.hear("ice-candidate", "closed"))["type"] for _ in range(count)]


class DeafClientsTest(AttackTest):
    """Who reads nothing is cut; who reads is not."""

    options = ("--message-bytes-burst", "0")

    def test_many(self) -> None:
        async def attack(server: Server) -> None:
            async with AsyncExitStack() as stack:
                homes: list[tuple[Link, str, list[str]]] = []
                deaf = []
                for number in range(DEAF):
                    if number % 60 == 0:
                        home = await stack.enter_async_context(Link(server, f"192.0.2.{number}"))
                        await home.open()
                        await home.register(f"HOME-{number:04}")
                        homes.append((home, name := f"HOME-{number:04}", sessions := []))
                    client = await stack.enter_async_context(
                        Link(server, f"198.51.{number}.1", deaf=True, far=True)
                    )
                    await client.open()
                    await client.say("connect-request", remoteId=name)
                    sessions.append((await home.hear("client-connected"))["sessionId"])
                    await home.say("session-ready", sessionId=sessions[-1])
                    await client.hear("connected")
                    deaf.append(client)
                readers: dict[str, Link] = {}
                for number in range(READERS):
                    reader = Link(server, f"203.0.113.{number}", deaf=True, far=True)
                    await (await stack.enter_async_context(reader)).open()
                    await reader.say("connect-request", remoteId=name)
                    session = (await home.hear("client-connected"))["sessionId"]
                    await home.say("session-ready", sessionId=session)
                    await reader.hear("connected")
                    readers[session] = reader
                draining = [asyncio.create_task(each.obey()) for each, _, _ in homes]
                for _ in range(2):
                    for each, _, theirs in homes:
                        await fill(each, theirs, 500_000)
                    # More than their buffers take at once: some of it waits until they read, a moment later.
                    await fill(home, list(readers), 450_000)
                    for reader in readers.values():
                        self.assertEqual(await read(reader, 9), ["ice-candidate"] * 9)
                for task in draining:
                    task.cancel()

        self.play(attack)

    def test_pongs_from_the_deaf(self) -> None:
        """A kernel would take all of this for the client, so that it would seem read.

        What it has taken and the client hasn't counts as unread (``test_sockets.py``), and little is left to it.
        """

        async def attack(server: Server) -> None:
            async with Link(server, "192.0.2.1") as home, Link(server, "198.51.100.1", deaf=True) as client:
                await home.open()
                await home.register("HOME-0001")
                await client.open()
                await client.say("connect-request", remoteId="HOME-0001")
                session = (await home.hear("client-connected"))["sessionId"]
                await home.say("session-ready", sessionId=session)
                await client.hear("connected")
                obeying = asyncio.create_task(home.obey())
                # No send buffer is full of that: nothing but its stall can be what cuts it.
                await fill(home, [session], 900_000)
                ends = asyncio.get_running_loop().time() + 30
                while not any(heard["type"] == "client-disconnected" for heard in home.heard):
                    self.assertLess(asyncio.get_running_loop().time(), ends, "it was never cut")
                    await asyncio.sleep(0.5)
                    await asyncio.gather(client.send(frame(b"", PONG)), return_exceptions=True)
                obeying.cancel()

        self.play(attack)
