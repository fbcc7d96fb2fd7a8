"""A proof asked of a connection: to it, a session like any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest import TestCase

from ma_signaling.core.asking_for_proof import Asking
from ma_signaling.core.token_bucket import Allowance
from tests.support.fake_clock import FakeClock
from tests.support.fake_prover import FakeProver

OFFER = {"type": "offer", "sdp": "v=0"}


class Asked:
    """The peer that is asked."""

    congested = False
    keeps_up = True

    def __init__(self, clock: FakeClock) -> None:
        self.heard: list[dict[str, Any]] = []
        self._clock = clock

    def send(self, message: bytes) -> None:
        """Hear a message."""
        self.heard.append(json.loads(message))

    def send_all(self, messages: list[bytes]) -> None: ...

    def pause_reading(self, seconds: float) -> None: ...

    def after_reading(self, call: Callable[[], None]) -> None:
        """Be judged a second later: the loop lags."""
        self._clock.callLater(1, call)

    def ping(self, payload: bytes) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def drop(self) -> None: ...


class AskingTest(TestCase):
    """It ends with a verdict, or is cancelled."""

    def setUp(self) -> None:
        self.clock = FakeClock()
        self.peer = Asked(self.clock)
        self.prover = FakeProver()
        self.verdicts: list[str | None] = []
        self.asking = Asking(
            "ID", self.peer, self.prover, self.clock, Allowance(20, 200), 15, self.verdicts.append
        )
        (self.proof,) = self.prover.proofs
        self.announcement = {"type": "client-connected", "sessionId": self.asking.session_id}
        self.offer = {"type": "offer", "sessionId": self.asking.session_id, "data": OFFER}
        self.end = {"type": "client-disconnected", "sessionId": self.asking.session_id}

    def offered(self) -> None:
        """Let our offer go out."""
        self.proof.asked.offer(dict(OFFER))
        self.asking.received({"type": "session-ready"})
        self.peer.heard.clear()

    def test_our_offer_goes_out_at_session_ready(self) -> None:
        assert self.proof.remote_id == "ID"
        self.proof.asked.offer(dict(OFFER))
        assert self.peer.heard == [self.announcement]
        self.asking.received({"type": "session-ready"})
        assert self.peer.heard == [self.announcement, self.offer]
        self.asking.received({"type": "session-ready"})
        assert len(self.peer.heard) == 2

    def test_our_offer_goes_out_after_three_seconds(self) -> None:
        self.proof.asked.offer(dict(OFFER))
        self.clock.advance(2.9)
        assert self.peer.heard == [self.announcement]
        self.clock.advance(0.1)
        assert self.peer.heard == [self.announcement, self.offer]

    def test_our_offer_goes_out_when_there_is_one(self) -> None:
        self.asking.received({"type": "session-ready"})
        assert self.peer.heard == [self.announcement]
        self.clock.advance(4)
        self.proof.asked.offer(dict(OFFER))
        assert self.peer.heard == [self.announcement, self.offer]

    def test_answer_and_candidates_go_to_the_prover(self) -> None:
        self.offered()
        for type, data in [
            ("ice-candidate", 1),
            ("answer", {"sdp": ""}),
            ("offer", 2),
            ("ice-candidate", None),
        ]:
            self.asking.received({"type": type, "data": data})
        self.asking.received({"type": "ice-candidate"})
        assert self.proof.answers == [{"sdp": ""}]
        assert self.proof.candidates == [1, None, None]

    def test_nothing_goes_to_the_prover_before_our_offer_or_after_the_end(self) -> None:
        self.asking.received({"type": "answer", "data": 1})
        self.offered()
        self.proof.asked.failed("no")
        self.asking.received({"type": "answer", "data": 2})
        self.asking.received({"type": "ice-candidate", "data": 3})
        assert self.proof.answers == self.proof.candidates == []

    def test_proof(self) -> None:
        self.offered()
        self.proof.asked.proved()
        assert self.verdicts == [None]
        assert self.peer.heard == [self.end]
        assert self.clock.timers == []

    def test_failure(self) -> None:
        self.proof.asked.failed("it sent no answer")
        assert self.verdicts == ["it sent no answer"]
        assert self.peer.heard == [self.announcement, self.end]
        assert self.clock.timers == []

    def test_no_proof_in_time(self) -> None:
        self.offered()
        self.clock.advance(15.9)
        assert self.verdicts == []
        self.clock.advance(0.1)
        assert self.verdicts == ["no proof in time"]
        assert self.proof.is_cancelled
        assert self.peer.heard == [self.end]

    def test_proof_that_is_read_late(self) -> None:
        self.offered()
        self.clock.advance(15.5)
        self.proof.asked.proved()
        self.clock.advance(1)
        assert self.verdicts == [None]
        assert self.peer.heard == [self.end]

    def test_cancelled(self) -> None:
        self.offered()
        self.asking.cancel()
        self.asking.cancel()
        assert self.proof.is_cancelled
        assert self.verdicts == []
        assert self.peer.heard == [self.end]
        assert self.clock.timers == []
