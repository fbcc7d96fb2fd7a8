"""Scenarios of real WebRTC peers with a real server."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.testing import Client, Peer, loopback_only
from tests.support.server_process import ServerProcess

SCENARIO_WITHIN = 90.0

Scenario = Callable[[ServerProcess], Awaitable[None]]


class EndToEndTestCase(SynchronousTestCase):
    """Plays a scenario against a server of its own, and shows that server's log when it fails."""

    options: tuple[str, ...] = ()
    """Options of the server."""

    def play(self, scenario: Scenario) -> None:
        """Run `scenario` to its end."""

        async def bounded(server: ServerProcess) -> None:
            async with asyncio.timeout(SCENARIO_WITHIN):
                await scenario(server)

        with ServerProcess(*self.options) as server:
            try:
                with loopback_only():
                    asyncio.run(bounded(server))
                server.stop()
            except SkipTest:
                raise
            except Exception as error:
                story = f"{traceback.format_exc()}\n--- the server's log ---\n{server.log()}"
                raise self.failureException(story) from error


async def assert_echo(text: str, *clients: Client) -> None:
    """Check that each client reaches the home over its data channel."""
    for client in clients:
        reply = await client.ask(text)
        assert reply == f"home heard: {text}", reply


def assert_undisturbed(*peers: Peer) -> None:
    """Check that the peers got no error, and failed on no message."""
    for peer in peers:
        trouble = [*peer.heard("error"), *peer.heard("peer-disconnected"), *peer.errors]
        assert not trouble, trouble


def session_ids(peer: Peer, kind: str) -> list[str]:
    """Return the sessions that the messages of one type were about."""
    return [message["sessionId"] for message in peer.heard(kind)]
