"""A proof that is asked of one connection: to it, a session like any other, whose client is this server.

It hears ``client-connected``, our offer once it is ready, and ``client-disconnected`` in the end, so that it keeps
nothing (docs/protocol.md, *Takeover*). What the offer is, and what an answer shows, is the prover's.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from secrets import token_hex

from ma_signaling.core import messages
from ma_signaling.core.messages import Message
from ma_signaling.core.peer import Clock, Peer, Timer
from ma_signaling.core.prover import Prover
from ma_signaling.core.shares import Place
from ma_signaling.core.token_bucket import Allowance, Budget

OFFER_SECONDS = 3.0
"""Seconds after which our offer goes out without ``session-ready``: older homes never say it."""


class Stage(Enum):
    """How far the session has come."""

    ANNOUNCED = auto()
    READY = auto()
    """Our offer goes out as soon as there is one."""
    OFFERED = auto()
    ENDED = auto()


class Asking:
    """Asks a peer for proof that it holds the key of a Remote ID; the prover's ``Asked``."""

    def __init__(
        self,
        remote_id: str,
        peer: Peer,
        prover: Prover,
        clock: Clock,
        allowance: Allowance,
        seconds: float,
        ended: Callable[[str | None], None],
    ) -> None:
        """Begin; the peer has ``seconds``, and ``allowance`` for what it sends in the session.

        ``ended`` is called once, and not before this returns: with None for a proof, else with why there is none. It
        is not called once the proof was cancelled.
        """
        self.remote_id = remote_id
        self.session_id = token_hex(16)
        self.stage = Stage.ANNOUNCED
        self.budget = Budget(allowance, clock.seconds())
        self.place: Place[Asking] | None = None
        """Its share of the proofs that are under way."""
        self._peer = peer
        self._ended = ended
        self._offer: bytes | None = None
        self._wait: Timer | None = clock.callLater(OFFER_SECONDS, self._wait_is_over)
        self._deadline: Timer | None = clock.callLater(seconds, self._time_is_up)
        peer.send(messages.client_connected(self.session_id))
        self._session = prover.ask(remote_id, self)

    # From the peer

    def received(self, message: Message) -> None:
        """Take a message that names this session; what doesn't belong there is ignored."""
        match message["type"]:
            case "session-ready":
                self._ready()
            case "answer" if self.stage is Stage.OFFERED:
                self._session.answer(message.get("data"))
            case "ice-candidate" if self.stage is Stage.OFFERED:
                self._session.candidate(message.get("data"))

    def fail(self, reason: str) -> None:
        """End it without a proof; does nothing once it has ended."""
        if self.stage is not Stage.ENDED:
            self._session.cancel()
            self._conclude(reason)

    def cancel(self) -> None:
        """End it without an outcome; does nothing once it has ended."""
        if self.stage is not Stage.ENDED:
            self._session.cancel()
            self._end()

    # From the prover

    def offer(self, data: dict[str, object]) -> None:
        """Take our offer."""
        self._offer = messages.offer(self.session_id, data)
        self._send_offer()

    def proved(self) -> None:
        """The peer holds the key."""
        self._conclude(None)

    def failed(self, reason: str) -> None:
        """It gave no proof."""
        self._conclude(reason)

    # Within

    def _wait_is_over(self) -> None:
        self._wait = None
        self._ready()

    def _ready(self) -> None:
        if self.stage is Stage.ANNOUNCED:
            self.stage = Stage.READY
            self._send_offer()

    def _send_offer(self) -> None:
        if self.stage is Stage.READY and self._offer is not None:
            self.stage = Stage.OFFERED
            self._peer.send(self._offer)

    def _time_is_up(self) -> None:
        self._deadline = None
        self._peer.after_reading(self._too_late)

    def _too_late(self) -> None:
        self.fail("no proof in time")

    def _conclude(self, reason: str | None) -> None:
        if self.stage is not Stage.ENDED:
            self._end()
            self._ended(reason)

    def _end(self) -> None:
        self.stage = Stage.ENDED
        for timer in (self._wait, self._deadline):
            if timer is not None:
                timer.cancel()
        self._wait = self._deadline = None
        if self.place is not None:
            self.place.release()
        self._peer.send(messages.client_disconnected(self.session_id))
