"""A gateway that is too busy to answer a ping loses nothing for good."""

from __future__ import annotations

import asyncio
import socket
import time

import aiortc
from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.testing import Client, Home, Peer, SignalingError, eventually, loopback_only
from tests.support.server_process import ServerProcess


class LatePongTest(SynchronousTestCase):
    """It gathers ICE candidates inline: a dead STUN server costs it 5 s an offer, and pings wait so long."""

    def test_three_offers_and_a_dead_stun_server(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
            dead.bind(("127.0.0.1", 0))
            home = Home("")
            home.gathers_from = [aiortc.RTCIceServer(f"stun:127.0.0.1:{dead.getsockname()[1]}")]
            with ServerProcess() as server:
                home.url = server.url
                with loopback_only():
                    asyncio.run(self.play(server, home))

    async def play(self, server: ServerProcess, home: Home) -> None:
        async with asyncio.timeout(90), home:
            await home.start()
            crowd = [Client(server.url, home.remote_id) for _ in range(3)]
            attempts = [asyncio.create_task(attempt(client)) for client in crowd]
            await eventually(lambda: home.heard("offer"), "the home at work")
            async with Peer(server.url) as stranger:
                await stranger.open()
                asked_at = time.monotonic()
                await stranger.send("register-server", remoteId=home.remote_id)
                refused = await stranger.answer("error", within=20)
                assert refused["code"] == "remote-id-taken"
                assert time.monotonic() - asked_at > 4, "the home was not busy"
            await asyncio.gather(*attempts)
            home.gathers_from = []
            async with Client(server.url, home.remote_id) as again:
                await again.connect()
                assert await again.ask("still there?") == "home heard: still there?"
            assert home.close_code is None


async def attempt(client: Client) -> None:
    """A call that may fail: its home is slow."""
    try:
        async with client:
            await client.connect()
    except (SignalingError, AssertionError):
        pass
