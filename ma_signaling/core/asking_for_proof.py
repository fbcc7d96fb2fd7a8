"""The session in which one connection is asked for a proof of possession (docs/protocol.md, *Takeover*).

To the peer it is a session like any other, whose client is this server: it gets ``client-connected``, our offer once
the peer is ready, and finally ``client-disconnected``, so that it frees the session. The prover makes the offer and
judges the answer.
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
"""Seconds after which our offer is sent without ``session-ready``, which older homes never send."""


class Stage(Enum):
    """How far the session has come."""

    ANNOUNCED = auto()
    READY = auto()
    """Our offer is sent as soon as the prover has made it."""
    OFFERED = auto()
    ENDED = auto()


class Asking:
    """Asks a peer for proof that it holds the key of a Remote ID. Implements ``prover.Asked``."""

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
        """Announce the session; the peer has ``seconds``, and ``allowance`` for what it sends in it.

        ``ended`` is called once, after this has returned: with None for a proof, else with the reason why there is
        none. After ``cancel`` it is not called.
        """
        self.remote_id = remote_id
        self.session_id = token_hex(16)
        self.stage = Stage.ANNOUNCED
        self.budget = Budget(allowance, clock.seconds())
        self.place: Place[Asking] | None = None
        """Its place among the proofs that are under way."""
        self._peer = peer
        self._ended = ended
        self._offer: bytes | None = None
        self._wait: Timer | None = clock.callLater(OFFER_SECONDS, self._wait_is_over)
        self._deadline: Timer | None = clock.callLater(seconds, self._time_is_up)
        peer.send(messages.client_connected(self.session_id))
        self._session = prover.ask(remote_id, self)

    # From the peer

    def received(self, message: Message) -> None:
        """Handle a message that names this session; one that doesn't belong there is ignored."""
        match message["type"]:
            case "session-ready":
                self._ready()
            case "answer" if self.stage is Stage.OFFERED:
                self._session.answer(message.get("data"))
            case "ice-candidate" if self.stage is Stage.OFFERED:
                self._session.candidate(message.get("data"))

    def fail(self, reason: str) -> None:
        """End the session without a proof. Does nothing once it has ended."""
        if self.stage is not Stage.ENDED:
            self._session.cancel()
            self._conclude(reason)

    def cancel(self) -> None:
        """End the session without calling ``ended``. Does nothing once it has ended."""
        if self.stage is not Stage.ENDED:
            self._session.cancel()
            self._end()

    # From the prover

    def offer(self, data: dict[str, object]) -> None:
        """Send the prover's offer, as soon as the peer is ready."""
        self._offer = messages.offer(self.session_id, data)
        self._send_offer()

    def proved(self) -> None:
        """End the session: the peer holds the key."""
        self._conclude(None)

    def failed(self, reason: str) -> None:
        """End the session: the peer gave no proof."""
        self._conclude(reason)

    # Internals

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
