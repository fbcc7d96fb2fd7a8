"""Hundreds of homes and clients behind one carrier's address come back after a restart, a flooder among them."""

from __future__ import annotations

import asyncio
import contextlib

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.testing import eventually
from tests.integration.attacks.base import attacked
from tests.support.attackers import Link, Server, message

HOMES = 300
ADDRESS = "192.0.2.1"
RETRY_SECONDS = 5.0
ONLINE_WITHIN = 60.0


async def stay_online(server: Server, remote_id: str, online: set[str]) -> None:
    """Do as a gateway does, but come back twice as soon, until it is registered; then accept sessions."""
    while True:
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with Link(server, ADDRESS) as home:
                await home.open()
                if (await home.register(remote_id))["type"] == "registered":
                    online.add(remote_id)
                    await home.obey()
                    online.discard(remote_id)
        await asyncio.sleep(RETRY_SECONDS)


async def get_through(server: Server, remote_id: str, through: set[str]) -> None:
    """Do as the web app does: ask again, after a while, until the home answers."""
    pause = 1.0
    while True:
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with Link(server, ADDRESS) as client:
                await client.open()
                if (await client.call(remote_id))["type"] == "connected":
                    through.add(remote_id)
                    await asyncio.sleep(3600)
        await asyncio.sleep(pause)
        pause = min(30.0, pause * 1.5)


async def flood(server: Server) -> None:
    """Send far more than anybody may, on one connection after the other."""
    while True:
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with Link(server, ADDRESS) as link:
                await link.open()
                await link.send(message("ping") * 2000)
                await link.hear("closed")
        await asyncio.sleep(1)


class RestartOfACrowdTest(SynchronousTestCase):
    """Everybody is online within a minute of the first retry."""

    def test_one_address(self) -> None:
        async def attack(server: Server, restart: asyncio.Event) -> None:
            names = [f"HOME-{number:04}" for number in range(HOMES)]
            online: set[str] = set()
            through: set[str] = set()
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(stay_online(server, name, online)) for name in names]
            await eventually(lambda: len(online) == HOMES, "all online", ONLINE_WITHIN)
            restart.set()
            await eventually(lambda: not online, "all cut", ONLINE_WITHIN)
            tasks += [loop.create_task(get_through(server, name, through)) for name in names]
            tasks.append(loop.create_task(flood(server)))
            await eventually(
                lambda: len(online) == len(through) == HOMES, "all back", RETRY_SECONDS + ONLINE_WITHIN
            )
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        with attacked() as (server, process):

            async def play() -> None:
                restart = asyncio.Event()
                attacking = asyncio.create_task(attack(server, restart))
                waiting = asyncio.create_task(restart.wait())
                await asyncio.wait([attacking, waiting], return_when=asyncio.FIRST_COMPLETED)
                if not attacking.done():
                    await asyncio.to_thread(process.stop)
                    await asyncio.to_thread(process.start)
                await attacking
                waiting.cancel()

            asyncio.run(play())
