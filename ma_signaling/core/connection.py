"""A connection as the core sees it: its peer, its role and its budgets."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, NamedTuple

from ma_signaling.core.asking_for_proof import Asking
from ma_signaling.core.capacity import SocketPlace
from ma_signaling.core.peer import NEVER, ClientAddress, Peer
from ma_signaling.core.sliding_window import SlidingWindow
from ma_signaling.core.token_bucket import Budget

MAX_EARLIER = 8
"""How many ended sessions of a client are remembered."""


class Role(Enum):
    """What a connection is: set by its first opening message that isn't answered with an error, and kept."""

    NONE = "none"
    HOME = "home"
    """It holds a Remote ID, or waits for one."""
    CLIENT = "client"
    """It has, or had, a session."""


RANK = {Role.NONE: 0, Role.CLIENT: 1, Role.HOME: 2}
"""Under pressure, connections without a role give way before clients, and those before homes."""


class SilentConnections:
    """Connections that have said nothing yet, by address, the oldest first."""

    def __init__(self) -> None:
        self._by_key: dict[str, dict[Connection, None]] = {}

    def add(self, connection: Connection, max_of_address: int) -> Connection | None:
        """Add a connection; return the oldest of its address if that now has too many. 0: no limit."""
        silent = self._by_key.setdefault(connection.address.key, {})
        silent[connection] = None
        return next(iter(silent)) if 0 < max_of_address < len(silent) else None

    def discard(self, connection: Connection) -> None:
        """Remove a connection, if it is there."""
        silent = self._by_key.get(connection.address.key, {})
        silent.pop(connection, None)
        if not silent:
            self._by_key.pop(connection.address.key, None)


TRUSTED_SECONDS = 600.0
"""Seconds for which a proof counts that a holder gave in a contest."""


class Proof(NamedTuple):
    """A proof of possession that a connection gave."""

    at: float
    in_contest: bool
    """Given as the holder in a contest: only such a proof counts later."""

    def counts(self, now: float) -> bool:
        """Return whether the holder need not prove itself again in another contest."""
        return self.in_contest and now - self.at < TRUSTED_SECONDS


class Connection:
    """One peer. ``Registry`` knows the home if it holds a Remote ID, ``Sessions`` the session if it is a client."""

    is_remote: ClassVar[bool] = False
    """Whether it is a connection of another node, which ``peer`` stands for."""

    __slots__ = (
        "address",
        "asking",
        "bad_messages",
        "budget",
        "claim",
        "earlier_sessions",
        "gone",
        "hears_errors",
        "id",
        "peer",
        "place",
        "probed_at",
        "proof",
        "remote_id",
        "role",
        "silent",
        "since",
        "spare",
        "spelling",
        "why",
    )

    def __init__(
        self,
        id: str,
        peer: Peer,
        address: ClientAddress,
        budget: Budget,
        since: float = 0.0,
    ) -> None:
        self.id = id
        self.peer = peer
        self.address = address
        self.budget = budget
        self.since = since
        """When its WebSocket opened."""
        self.role = Role.NONE
        self.place: SocketPlace | None = None
        """Its place among all sockets."""
        self.silent: SilentConnections | None = None
        """Where it is listed while it has said nothing; None afterwards."""
        self.remote_id: str | None = None
        """The Remote ID that it holds."""
        self.spelling: str | None = None
        """How it wrote the Remote ID that it last registered, if not in the canonical form."""
        self.claim: str | None = None
        """The Remote ID that it has asked for, while the verdict is pending."""
        self.probed_at = NEVER
        """When it was last asked for a sign of life, as a holder."""
        self.asking: Asking | None = None
        """The latest session in which it was asked for proof."""
        self.proof: Proof | None = None
        """The latest proof that it gave."""
        self.earlier_sessions: tuple[str, ...] = ()
        """The IDs of a client's latest sessions that have ended, the latest last."""
        self.hears_errors = True
        """False once a client's session was answered: an ``error`` would end the call in the mobile app."""
        self.bad_messages: SlidingWindow | None = None
        self.spare: Budget | None = None
        """What a home may send beyond its sessions' budgets; None until it does."""
        self.gone = False
        self.why = ""
        """How this server ended it, for the log."""

    def session_ended(self, session_id: str) -> None:
        """Remember a session that has ended."""
        self.earlier_sessions = (*self.earlier_sessions[-MAX_EARLIER + 1 :], session_id)

    def means_earlier(self, named: object, current: str | None) -> bool:
        """Return whether a message with the session ID ``named`` is for an earlier session than ``current``.

        Once ``MAX_EARLIER`` sessions are remembered, an unknown ID counts as one that has been forgotten.
        """
        earlier = self.earlier_sessions
        if named in earlier:
            return True
        return len(earlier) == MAX_EARLIER and isinstance(named, str) and named not in ("", current)

    def forward(self, session_id: str, kind: str, payload: bytes) -> None:
        """Send a home a message of type ``kind``, in one of its sessions."""
        self.peer.send(payload)

    def forward_all(self, session_id: str, candidates: list[bytes]) -> None:
        """Send a home that ``is_at_hand`` ICE candidates of one of its sessions, together."""
        self.peer.send_all(candidates)

    def take_role(self, role: Role) -> None:
        """Set the role; back to ``NONE`` if the request that gave it has failed."""
        self.role = role
        if self.place is not None:
            self.place.promote(RANK[role])
        if self.silent is not None:
            self.silent.discard(self)
            self.silent = None
