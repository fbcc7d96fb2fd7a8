"""The base of tests of traces."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.session_verdict import VERDICTS
from tests.support.memory_hub import FakePeer, World


class TraceTestCase(SynchronousTestCase):
    """A world, and the answers of `GET /api/sessions/S` in it."""

    def setUp(self) -> None:
        self.world = World()

    def trace(self, session_id: str) -> dict[str, Any]:
        told: dict[str, Any] | None = self.world.trace(session_id)
        assert told is not None
        return told

    def verdict(self, session_id: str) -> str:
        verdict = self.trace(session_id)["verdict"]
        assert verdict["text"] == VERDICTS[verdict["code"]]
        code: str = verdict["code"]
        return code

    def asked(self, home: FakePeer) -> tuple[FakePeer, str]:
        """Return a client that has just asked for a home, and its session."""
        client = self.world.client()
        session_id: str = home.heard_of("client-connected")[-1]["sessionId"]
        return client, session_id
