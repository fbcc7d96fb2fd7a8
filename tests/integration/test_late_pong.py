"""A gateway that is too busy to answer a ping loses nothing for good."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from pathlib import Path

import aiortc
from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory_hub import World
from tests.support.server_process import ServerProcess
from tests.support.webrtc_peers import Client, Home, Peer, SignalingError, eventually, loopback_only

OWNER, STRANGER = "192.0.2.1", "203.0.113.1"


class LatePongTest(SynchronousTestCase):
    """It gathers ICE candidates inline: a dead STUN server costs it 5 s an offer, and pings wait so long."""

    def test_three_offers_and_a_dead_stun_server(self) -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead,
            tempfile.TemporaryDirectory() as directory,
        ):
            dead.bind(("127.0.0.1", 0))
            home = Home("")
            home.headers = {"X-Forwarded-For": OWNER}
            home.gathers_from = [aiortc.RTCIceServer(f"stun:127.0.0.1:{dead.getsockname()[1]}")]
            state = Path(directory) / "state"
            state.write_bytes(state_with_senior(home.remote_id))
            with ServerProcess("--state-file", str(state)) as server:
                home.url = server.url
                with loopback_only():
                    asyncio.run(self.play(server, home))

    async def play(self, server: ServerProcess, home: Home) -> None:
        async with asyncio.timeout(90), home:
            await home.start()
            caller = Client(server.url, home.remote_id)
            async with caller:
                await caller.connect()
                crowd = [Client(server.url, home.remote_id) for _ in range(3)]
                attempts = [asyncio.create_task(attempt(client)) for client in crowd]
                await eventually(lambda: len(home.heard("offer")) > 1, "the home at work")
                squatter = Peer(server.url)
                squatter.headers = {"X-Forwarded-For": STRANGER}
                async with squatter:
                    await squatter.open()
                    asked_at = time.monotonic()
                    await squatter.send("register-server", remoteId=home.remote_id)
                    await squatter.answer("registered", within=10)
                    assert time.monotonic() - asked_at > 4.5, "the home was not asked for a sign of life"
                    await eventually(lambda: home.errors, "an answer that the home could not send", within=30)
                    assert home.close_code != 4000
                    await home.reconnect()
                    assert squatter.close_code == 4000
                assert await caller.ask("still there?") == "home heard: still there?"
                assert not caller.heard("peer-disconnected")
                await asyncio.gather(*attempts)
                home.gathers_from = []
                async with Client(server.url, home.remote_id) as again:
                    await again.connect()
                    assert await again.ask("and now?") == "home heard: and now?"


async def attempt(client: Client) -> None:
    """A call that may fail: its offer was in the hands of the connection that was lost."""
    try:
        async with client:
            await client.connect()
    except (SignalingError, AssertionError):
        pass


def state_with_senior(remote_id: str) -> bytes:
    """What a server saves after the owner has held its Remote ID for an hour."""
    world = World()
    world.home(remote_id, OWNER)
    world.advance(3600)
    return world.hub.snapshot(time.time())
