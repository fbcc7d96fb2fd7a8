"""A prover that the test plays: it records who was asked, and calls back only when the test does."""

from __future__ import annotations

from dataclasses import dataclass, field

from ma_signaling.core.prover import Asked, ProofSession


@dataclass
class FakeProof:
    """One proof. Call ``asked.offer``, ``asked.proved`` or ``asked.failed`` as the prover would."""

    remote_id: str
    asked: Asked
    answers: list[object] = field(default_factory=list)
    candidates: list[object] = field(default_factory=list)
    is_cancelled: bool = False

    def answer(self, data: object) -> None:
        """Record an answer."""
        self.answers.append(data)

    def candidate(self, data: object) -> None:
        """Record a candidate."""
        self.candidates.append(data)

    def cancel(self) -> None:
        """Record that the proof was cancelled."""
        self.is_cancelled = True


class FakeProver:
    """Implements ``core.prover.Prover``; ``proofs`` are in the order in which they were asked for."""

    def __init__(self, obstacle: str | None = None) -> None:
        self.obstacle = obstacle
        self.proofs: list[FakeProof] = []

    def ask(self, remote_id: str, asked: Asked) -> ProofSession:
        """Begin a proof that the test ends."""
        assert self.obstacle is None, "core asked although no proof can be had"
        proof = FakeProof(remote_id, asked)
        self.proofs.append(proof)
        return proof


class FakeAsked:
    """A fake contender that is asked (``core.prover.Asked``): it records what the prover calls."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def offer(self, data: dict[str, object]) -> None:
        """Record an offer."""
        self.heard.append(data)

    def proved(self) -> None:
        """Record a success."""
        self.heard.append("proved")

    def failed(self, reason: str) -> None:
        """Record a failure."""
        self.heard.append(reason)
