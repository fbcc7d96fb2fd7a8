"""A restart that nobody notices, in small; ``python -m tests.soak.restart`` plays it with more homes."""

from __future__ import annotations

import asyncio

from twisted.trial.unittest import SynchronousTestCase

from tests.soak.restart import Play

HOMES = 20


class RestartTest(SynchronousTestCase):
    """By systemd's socket: who asks meanwhile waits for the next process."""

    def test_nobody_notices(self) -> None:
        result = asyncio.run(Play(HOMES, retry_seconds=1.0).run())
        assert result.failures == []
        assert result.ended_calls == []
        assert result.checks > HOMES
        assert result.requests > HOMES
