"""A home whose Remote ID others want, in memory: with and without proof."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.events import Event
from tests.support.fake_prover import FakeProof, FakeProver
from tests.support.memory_hub import FakePeer, World

OWNER, STRANGER, THIRD = "192.0.2.1", "203.0.113.1", "203.0.113.2"
TAKEN = {
    "type": "error",
    "error": "Remote ID is in use by a server that is online",
    "code": "remote-id-taken",
}
PROVABLE = "ABCDEFGHIJKLMNOPQRSTUVWXY9"


def takeovers(world: World) -> list[object]:
    """Return the outcomes of the reported takeovers."""
    return [details["outcome"] for event, details in world.events if event is Event.TAKEOVER]


class TakeoverTestCase(SynchronousTestCase):
    """A home whose client has a session with it."""

    remote_id = "HOME"
    prover: Any = None

    def setUp(self) -> None:
        self.world = World(prover=self.prover)
        self.home = self.world.home(self.remote_id, OWNER)
        self.client = self.world.client(self.remote_id)
        self.session_id = self.world.session(self.home, self.client)

    def newcomer(self, text: str = STRANGER, *, shared: bool = False) -> FakePeer:
        """Return a connection that asks for the home's Remote ID."""
        peer = self.world.connect(text, shared=shared)
        peer.say("register-server", remoteId=self.remote_id)
        return peer

    def assert_refused(self, *newcomers: FakePeer) -> None:
        for newcomer in newcomers:
            (error,) = newcomer.heard_of("error")
            assert error.pop("retryAfter") >= 10
            assert error == TAKEN
            assert newcomer.closed == (1013, "Remote ID is in use")

    def call_up(self) -> None:
        """Let the home answer its client."""
        self.home.say("answer", sessionId=self.session_id, data={})
        self.client.forget()


class ProvableTestCase(TakeoverTestCase):
    """A home with a Remote ID that can be proved."""

    remote_id = PROVABLE

    def setUp(self) -> None:
        self.prover: FakeProver = FakeProver()
        super().setUp()

    def lives(self, holder: FakePeer | None = None) -> None:
        """Let the holder answer its probe."""
        (holder or self.home).pong()

    def asked(self, peer: FakePeer) -> FakeProof:
        """Return the proof for which a peer is asked, in the session that has just been announced to it."""
        session_id = peer.heard_of("client-connected")[-1]["sessionId"]
        asking = peer.connection.asking
        assert asking is not None
        assert asking.session_id == session_id
        return next(proof for proof in self.prover.proofs if proof.asked is asking)

    def sides(self) -> list[FakePeer]:
        """Return the holder, which lives, and two newcomers that are asked."""
        newcomers = [self.newcomer(), self.newcomer(THIRD)]
        self.lives()
        self.world.advance(10)
        return [self.home, *newcomers]
