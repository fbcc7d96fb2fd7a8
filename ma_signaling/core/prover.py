"""The prover, which finds out whether a contender holds the key of the certificate that a Remote ID stands for.

The rules are in docs/protocol.md, *Takeover*. ``core`` decides whom to ask and when; a ``Prover`` opens the session
with the contender, as a client would, and reports what DTLS showed. Every proof ends with ``proved``, ``failed`` or
``cancel``.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

MAX_AT_ONCE = 256
"""How many newcomers, and as many holders, are asked at the same time. Each takes some 3 ms of CPU and 60 KiB."""


class Asked(Protocol):
    """The contender that is asked for a proof, as the prover knows it.

    At most one of ``proved`` and ``failed`` is called, once, and nothing after it.
    """

    def offer(self, data: dict[str, object]) -> None:
        """Send our offer to the contender: the ``data`` of an ``offer`` message, with all of our candidates.

        Called once, before ``proved``.
        """

    def proved(self) -> None:
        """The contender holds the key: DTLS and SCTP are up, and its certificate encodes to exactly this Remote ID."""

    def failed(self, reason: str) -> None:
        """No proof was given; ``reason`` is a few words for the log and the metrics, and quotes no peer."""


class ProofSession(Protocol):
    """A proof under way, which takes what the contender sends. Invalid input fails the proof, or is ignored."""

    def answer(self, data: object) -> None:
        """Take the ``data`` of the contender's ``answer``; the first one counts."""

    def candidate(self, data: object) -> None:
        """Take the ``data`` of an ``ice-candidate`` of the contender."""

    def cancel(self) -> None:
        """Give up the proof: nothing is called on its ``Asked`` from now on. Does nothing once it has ended."""


class Prover(Protocol):
    """Asks contenders for proof. No method calls back before it returns."""

    @property
    def obstacle(self) -> str | None:
        """Why no proof can be had here, in a few words (``off``, ``aiortc is not installed``); None: it can."""

    def ask(self, remote_id: str, asked: Asked) -> ProofSession:
        """Begin a proof for a Remote ID that can be proved (``remote_id.is_fingerprint``).

        If no proof can be had, or too many are under way, ``asked.failed`` is called soon.
        """


def availability(obstacle: str | None) -> str:
    """Return ``available``, or ``unavailable`` and why, for ``/health`` and ``--check-config``."""
    return "available" if obstacle is None else f"unavailable: {obstacle}"


class Unavailable(NamedTuple):
    """A ``Prover`` for where no proof can be had; it must not be asked."""

    obstacle: str

    def ask(self, remote_id: str, asked: Asked) -> ProofSession:
        """Raise RuntimeError."""
        raise RuntimeError(f"no proof can be had: {self.obstacle}")
