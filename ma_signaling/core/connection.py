"""A connection, as the core sees it: one peer, what it is, and what it may still send."""

from __future__ import annotations

from enum import Enum

from ma_signaling.core.peer import ClientAddress, Peer
from ma_signaling.core.sliding_window import SlidingWindow
from ma_signaling.core.token_bucket import Budget


class Role(Enum):
    """What a connection is: set by its first opening message that isn't answered with an error, and kept."""

    NONE = "none"
    HOME = "home"
    """It holds a Remote ID, or waits for one."""
    CLIENT = "client"
    """It has, or had, a session."""


class Connection:
    """One peer. ``Registry`` has the home of a connection that holds a Remote ID, ``Sessions`` a client's session."""

    __slots__ = (
        "address",
        "bad_messages",
        "budget",
        "claim",
        "ended_session",
        "gone",
        "id",
        "is_remote",
        "peer",
        "remote_id",
        "role",
    )

    def __init__(
        self, id: str, peer: Peer, address: ClientAddress, budget: Budget, *, is_remote: bool = False
    ) -> None:
        self.id = id
        self.peer = peer
        self.address = address
        self.budget = budget
        self.is_remote = is_remote
        """It is a connection of another node, and ``peer`` leads there."""
        self.role = Role.NONE
        self.remote_id: str | None = None
        """The Remote ID that it holds."""
        self.claim: str | None = None
        """The Remote ID that it has asked for; the verdict is pending."""
        self.ended_session: str | None = None
        """A client's latest session that has ended."""
        self.bad_messages: SlidingWindow | None = None
        self.gone = False

    def forward(self, session_id: str, kind: str, payload: bytes) -> None:
        """Send a home a message of type ``kind``, in one of its sessions."""
        self.peer.send(payload)
