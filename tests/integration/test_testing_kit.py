"""The kit's peers: with the real server as they behave, with each of their faults, and against the home's agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from unittest import TestCase

from ma_signaling.testing import Client, ClientFault, Home, HomeFault, eventually, loopback_only
from tests.support.home_process import HomeProcess
from tests.support.music_assistant_stand_in import MusicAssistantStandIn
from tests.support.server_process import ServerProcess

WITHIN = 120.0


class FaultTest(TestCase):
    """What the server makes of each fault; one server for all, with short times."""

    server: ServerProcess

    @classmethod
    def setUpClass(cls) -> None:
        options = ("--ready-timeout", "0.3", "--ping-interval", "2")
        cls.server = cls.enterClassContext(ServerProcess(*options))

    def play(self, scenario: Callable[[str], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(WITHIN):
                await scenario(self.server.url)

        with loopback_only():
            asyncio.run(bounded())

    def test_none(self) -> None:
        async def scenario(url: str) -> None:
            async with Home(url) as home, Client(url, home.remote_id) as client:
                await home.start()
                await client.connect()
                assert await client.ask("hello") == "home heard: hello"
                assert not [*home.errors, *client.errors]

        self.play(scenario)

    def test_harmless_ones(self) -> None:
        """A call comes about all the same."""

        async def scenario(url: str) -> None:
            home_faults = {HomeFault.NO_SESSION_READY, HomeFault.FOREIGN_SESSIONS}
            client_faults = {ClientFault.FOREIGN_SESSIONS, ClientFault.NONSENSE_CANDIDATES}
            async with (
                Home(url, faults=home_faults) as home,
                Client(url, home.remote_id, faults=client_faults) as client,
            ):
                await home.start()
                await client.connect()
                assert await client.ask("hello") == "home heard: hello"
                assert [each["code"] for each in home.heard("error")] == ["client-not-found"], home.received
                assert not client.heard("error"), client.received

        self.play(scenario)

    def test_nonsense(self) -> None:
        async def scenario(url: str) -> None:
            async with (
                Home(url) as home,
                Client(url, home.remote_id, faults={ClientFault.NONSENSE}) as client,
            ):
                await home.start()
                await client.request()
                await eventually(lambda: len(client.heard("error")) == 2, "two errors")
                assert [each["code"] for each in client.heard("error")] == ["bad-message", "unknown-type"]
                await eventually(lambda: client.heard("connected"), "the home all the same")

        self.play(scenario)

    def test_silence(self) -> None:
        """Who answers no ping is dropped; who does not negotiate is not."""

        async def scenario(url: str) -> None:
            async with (
                Home(url) as home,
                Home(url, faults={HomeFault.NO_PONG}) as frozen,
                Home(url, faults={HomeFault.NO_ANSWER}) as mute,
                Client(url, home.remote_id, faults={ClientFault.NO_PONG}) as gone,
                Client(url, mute.remote_id, faults={ClientFault.NO_OFFER}) as waiting,
            ):
                for each in (home, frozen, mute):
                    await each.start()
                await gone.request()
                await waiting.connect()
                await eventually(lambda: frozen.close_code and gone.close_code, "two dropped connections")
                assert home.close_code is mute.close_code is waiting.close_code is None

        self.play(scenario)


class AgentTest(TestCase):
    """The home's agent, with clients that misbehave."""

    def test_it_goes_on(self) -> None:
        async def scenario(url: str, home: HomeProcess) -> None:
            faults = [
                {ClientFault.NO_OFFER},
                {ClientFault.NONSENSE_CANDIDATES},
                {ClientFault.FOREIGN_SESSIONS},
            ]
            for each in faults:
                async with Client(url, home.remote_id, faults=each) as client:
                    await client.connect()
                    if ClientFault.NO_OFFER in each:
                        for data in ("no object", {}, {"type": "offer", "sdp": "nonsense"}):
                            await client.send("offer", sessionId=client.session_id, data=data)
                    else:
                        assert "schema_version" in await client.ask('{"message_id": 1}'), client.received
            assert "Traceback" not in home.log(), home.log()

        async def bounded(server: ServerProcess) -> None:
            async with asyncio.timeout(WITHIN), MusicAssistantStandIn() as assistant:
                home = HomeProcess(server.url, assistant.url)
                await asyncio.to_thread(home.start)
                try:
                    await scenario(server.url, home)
                finally:
                    await asyncio.to_thread(home.__exit__, None, None, None)

        with ServerProcess() as server, loopback_only():
            asyncio.run(bounded(server))
