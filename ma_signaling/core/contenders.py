"""The connections of a contest: newcomers that want a Remote ID, and its holder, as ``contest`` knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ma_signaling.core.connection import Connection
from ma_signaling.core.contest import PROOF_SECONDS, Contender, Contest, How, Why
from ma_signaling.core.ending import CUT, Ending, closed
from ma_signaling.core.errors import REMOTE_ID_TAKEN, CloseCode
from ma_signaling.core.home import Home
from ma_signaling.core.probe import Life
from ma_signaling.core.proof_session import Asking
from ma_signaling.core.proofs import Proofs

REFUSED = closed(CloseCode.TRY_AGAIN_LATER, "Remote ID is in use", REMOTE_ID_TAKEN, is_told=True)
"""How the connection of a newcomer ends that is refused: the gateway tries again by itself."""

DISPLACED = closed(CloseCode.TRY_AGAIN_LATER, "Remote ID went to another server that holds its key")
"""How a holder's connection ends that didn't prove itself, for a newcomer that did."""

TRUSTED_SECONDS = 600.0
"""How long a proof counts that a holder gave in a contest."""


class Ground(Protocol):
    """What the connections of a contest need of the core (``Contests``)."""

    proofs: Proofs

    def seconds(self) -> float:
        """The time."""

    def end(self, connection: Connection, how: Ending) -> None:
        """End a connection."""

    def is_busy(self, home: Home) -> bool:
        """Whether a session of a home waits for its answer."""

    def offers_delivered(self, session_ids: list[str]) -> None:
        """Know that a home has got the offers of these sessions, which have waited."""

    def ask_holder(self, connection: Connection, payer: str) -> Asking | None:
        """Ask the holder of a Remote ID for proof, unless it is being asked."""

    def won(self, newcomer: Newcomer, how: How) -> Home:
        """Make a newcomer the holder."""

    def refused(self, newcomer: Newcomer, why: Why) -> None:
        """Forget a newcomer that gets nothing."""

    def go_elsewhere(self, newcomer: Newcomer) -> None:
        """Let a newcomer contend with the holder on another node."""

    def lost(self, home: Home, how: How, life: Life) -> Connection:
        """Take a Remote ID from its holder, which is returned."""


class Newcomer:
    """A connection that wants a Remote ID."""

    def __init__(
        self, ground: Ground, connection: Connection, remote_id: str, ice_servers: bytes | None
    ) -> None:
        self.connection = connection
        self.remote_id = remote_id
        self.ice_servers = ice_servers
        """Those that it registers with, as JSON."""
        self.since = ground.seconds()
        self.contest: Contest | None = None
        self.reason = ""
        """Why it gave no proof, for the log."""
        self._ground = ground
        self._asking: Asking | None = None

    @property
    def key(self) -> str:
        return self.connection.address.key

    def ask(self, ended: Callable[[str | None], None]) -> bool:
        def answered(reason: str | None) -> None:
            self.reason = f" ({reason})" if reason else ""
            ended(reason)

        self._asking = self._ground.proofs.ask(
            self.connection, self.remote_id, self.key, PROOF_SECONDS, answered
        )
        return self._asking is not None

    def stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    def win(self, how: How) -> Holder:
        return Holder(self._ground, self._ground.won(self, how), self.connection)

    def refuse(self, why: Why) -> None:
        self._ground.refused(self, why)
        self._ground.end(self.connection, REFUSED)

    def let_go(self) -> None:
        self._ground.go_elsewhere(self)


class Holder:
    """A connection that holds a Remote ID."""

    def __init__(self, ground: Ground, home: Home, connection: Connection) -> None:
        self._ground = ground
        self._home = home
        self._connection = connection
        self._was_asked = False
        self._asking: Asking | None = None

    @property
    def is_busy(self) -> bool:
        return self._ground.is_busy(self._home)

    @property
    def has_proved(self) -> bool:
        proof = self._connection.proof
        return proof is not None and proof.in_contest and self._ground.seconds() - proof.at < TRUSTED_SECONDS

    def ping(self, payload: bytes) -> None:
        self._connection.peer.ping(payload)

    def after_reading(self, call: Callable[[], None]) -> None:
        self._connection.peer.after_reading(call)

    def ask(self, newcomer: Contender) -> None:
        if not self._was_asked:
            self._was_asked = True
            self._asking = self._ground.ask_holder(self._connection, newcomer.key)

    def stop_asking(self) -> None:
        # Sessions that wait for its proof need it still.
        if self._asking is not None and not self._home.suspended:
            self._asking.cancel()

    def hold_offers(self, held: bool) -> None:
        # While another node decides whether this one stays, it gets none in any case.
        self._home.are_offers_held = held or self._connection.claim == self._home.remote_id
        self._ground.offers_delivered(self._home.flush())

    def lose(self, how: How, life: Life) -> None:
        connection = self._ground.lost(self._home, how, life)
        self._ground.end(connection, DISPLACED if how is How.PROOF else CUT)
