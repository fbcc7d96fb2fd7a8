"""Scenarios with the child process that asks for proofs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.testing import loopback_only
from tests.support.proof_child import AskedHome, ProofChild

PLAY_WITHIN = 90.0


class ProofTestCase(SynchronousTestCase):
    """Plays a scenario with a child process."""

    def play(
        self, scenario: Callable[[ProofChild], Awaitable[None]], child: ProofChild | None = None
    ) -> None:
        """Run a scenario to its end."""

        async def bounded() -> None:
            async with asyncio.timeout(PLAY_WITHIN), child or ProofChild() as process:
                await scenario(process)

        with loopback_only():
            asyncio.run(bounded())


async def prove(child: ProofChild, home: AskedHome, remote_id: str = "", **options: Any) -> str:
    """Let the child ask a home for proof, and return the outcome."""
    number = child.ask(remote_id or home.remote_id, **options)
    child.say(answer=number, sdp=await home.answer(await child.offer(number)))
    return await child.outcome(number)
