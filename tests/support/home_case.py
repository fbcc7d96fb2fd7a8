"""Scenarios with a real server, a real agent, and a stand-in for Music Assistant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ma_signaling.testing import loopback_only
from tests.support.home_process import HomeProcess
from tests.support.music_assistant_stand_in import MusicAssistantStandIn
from tests.support.server_process import ServerProcess

SCENARIO_WITHIN = 120.0

Scenario = Callable[[ServerProcess, HomeProcess, MusicAssistantStandIn], Awaitable[None]]


def play(scenario: Scenario, *options: str) -> None:
    """Run a scenario with a server, an agent with these options, and a Music Assistant."""

    async def bounded(server: ServerProcess) -> None:
        async with asyncio.timeout(SCENARIO_WITHIN), MusicAssistantStandIn() as assistant:
            home = HomeProcess(server.url, assistant.url, *options)
            try:
                await asyncio.to_thread(home.__enter__)
                await scenario(server, home, assistant)
            except BaseException:
                print(home.log())  # noqa: T201 - for whoever reads the failure
                home.__exit__(AssertionError, None, None)
                raise
            await asyncio.to_thread(home.__exit__, None, None, None)

    with ServerProcess() as server, loopback_only():
        asyncio.run(bounded(server))
