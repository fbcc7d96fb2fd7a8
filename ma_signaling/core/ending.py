"""How a connection ends: what its peer is sent, what becomes of its socket, and what it means for the others."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol

from ma_signaling.core.connection import Connection
from ma_signaling.core.errors import (
    NOT_ALLOWED,
    REMOTE_ID_TAKEN,
    RESTARTING,
    SERVER_DISCONNECTED,
    CloseCode,
    WireError,
    rate_limited,
)


class Meaning(Enum):
    """What a connection's end means for its home or its sessions."""

    GOODBYE = "goodbye"
    """The peer isn't expected back: its sessions end."""
    BREAK = "break"
    """The peer is probably coming back."""
    RESTART = "restart"
    """This server is going down: nobody is told, and calls live on."""


class Ending(NamedTuple):
    """One way in which a connection ends. With neither ``code`` nor ``is_cut``, the transport closes the socket."""

    meaning: Meaning
    code: CloseCode | None = None
    """The code of the close frame that this server sends."""
    reason: str = ""
    error: WireError | None = None
    """Sent before the close frame."""
    error_if_waiting: WireError | None = None
    """Sent if ``error`` is None, to a client that waits for the answer to its ``connect-request``."""
    is_cut: bool = False
    """This server cuts the connection without a close frame."""
    is_told: bool = False
    """The log has a line about the cause."""

    @property
    def why(self) -> str:
        """How this server ended the connection, for the log."""
        return self.reason if self.code is None else f"closed with {int(self.code)} {self.reason}"


GOODBYE = Ending(Meaning.GOODBYE)
"""The peer said goodbye."""

BREAK = Ending(Meaning.BREAK)
"""The connection broke."""

HALF_CLOSED = Ending(Meaning.BREAK, error_if_waiting=SERVER_DISCONNECTED)
"""The peer sends no more, but may still read."""

CUT = Ending(Meaning.BREAK, is_cut=True)
"""The peer is gone, as far as this server can tell."""

FAULT = Ending(
    Meaning.BREAK,
    CloseCode.INTERNAL_ERROR,
    "Internal error",
    error_if_waiting=SERVER_DISCONNECTED,
    is_told=True,
)
"""A fault of this server: it could not handle what the peer sent."""

RESTART = Ending(Meaning.RESTART, CloseCode.RESTARTING, RESTARTING.text)
"""This server is going down."""


MAKE_WAY = Ending(
    Meaning.BREAK,
    CloseCode.TRY_AGAIN_LATER,
    "Too many connections from this address",
    error_if_waiting=rate_limited(1),
)
"""Another connection needs its place."""


def closed(
    code: CloseCode,
    reason: str,
    error: WireError | None = None,
    *,
    meaning: Meaning = Meaning.BREAK,
    is_told: bool = False,
) -> Ending:
    """Return the ending of a connection that this server closes."""
    return Ending(meaning, code, reason, error, error_if_waiting=rate_limited(1), is_told=is_told)


NOT_ALLOWED_HERE = closed(CloseCode.POLICY, NOT_ALLOWED.text, NOT_ALLOWED, is_told=True)
"""A home may not register."""

REFUSED = closed(CloseCode.TRY_AGAIN_LATER, "Remote ID is in use", REMOTE_ID_TAKEN, is_told=True)
"""A takeover was refused: the gateway tries again by itself."""

DISPLACED = closed(CloseCode.TRY_AGAIN_LATER, "Remote ID went to another server that holds its key")
"""A holder that didn't prove itself has lost its Remote ID to a newcomer that did."""


def failed(error: WireError, code: object) -> Ending:
    """Return the ending of a connection that the transport closes; ``error`` is for a client that waits."""
    return Ending(Meaning.BREAK, reason=f"closed with {code}", error_if_waiting=error)


class Closer(Protocol):
    """Ends connections, and removes each from all tables immediately."""

    is_draining: bool
    """Whether this server is going down: nobody can register, and no session begins."""

    def end(self, connection: Connection, how: Ending) -> None:
        """End a connection. Further calls for the same one do nothing."""
