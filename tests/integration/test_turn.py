"""STUN servers and relays of our own: what is added, to whom, and that a real relay takes it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from aioice.stun import TransactionFailed
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.config.settings import Settings
from ma_signaling.core.ice_servers import IceServers
from ma_signaling.testing import Client, Home, loopback_only
from tests.support.coturn_process import SECRET, allocate, coturn
from tests.support.server_process import ServerProcess

RELAY = ("turn:relay.example.org:3478", "turns:relay.example.org:5349")


class RelayTest(SynchronousTestCase):
    """With real coturn."""

    def test_a_client_that_can_only_relay_reaches_its_home(self) -> None:
        async def scenario(server: ServerProcess) -> None:
            async with Home(server.url) as home:
                await home.start()
                async with Client(server.url, home.remote_id, relay_only=True) as client:
                    await client.connect()
                    assert await client.ask("hello") == "home heard: hello"
                    offered = [candidate["candidate"] for candidate in client._candidates]
                    assert offered, "no candidates"
                    assert all(" typ relay " in candidate for candidate in offered), offered
                    assert not home.errors, home.errors
                    assert not client.errors, client.errors

        with coturn() as (port, secret):
            options = (
                "--turn-urls",
                f"turn:127.0.0.1:{port}?transport=udp",
                "--turn-secret-file",
                str(secret),
            )
            with ServerProcess(*options) as server, loopback_only():

                async def bounded() -> None:
                    servers = IceServers(Settings(turn_urls=("turn:x",)), SECRET).extend(
                        None, time.time(), with_relay=True
                    )
                    await allocate(port, orjson.loads(servers or b"")[0])
                    async with asyncio.timeout(60):
                        await scenario(server)

                asyncio.run(bounded())

    def test_expired_and_forged_credentials(self) -> None:
        def credentials(secret: bytes, wall: float) -> Any:
            servers = IceServers(Settings(turn_urls=("turn:x",)), secret).extend(None, wall, with_relay=True)
            return orjson.loads(servers or b"")[0]

        async def attempts(port: int) -> None:
            good = credentials(SECRET, time.time())
            assert await allocate(port, good) == "127.0.0.1"
            later = good["username"].replace(good["username"][:10], str(int(time.time()) + 90000))
            for bad in (
                credentials(SECRET, time.time() - 7200),
                credentials(b"another secret", time.time()),
                {**good, "username": later},
            ):
                try:
                    await allocate(port, bad)
                except TransactionFailed as refused:
                    assert "401" in str(refused), refused
                else:
                    raise AssertionError(f"the relay took {bad}")

        with coturn() as (port, _):
            asyncio.run(attempts(port))
