"""What a home and a client of this kit do wrong on request, each as peers in the field have done it or may."""

from __future__ import annotations

from enum import Enum, auto


class HomeFault(Enum):
    """What a home does wrong."""

    NO_SESSION_READY = auto()
    """It never says ``session-ready``: so do old releases."""
    NO_ANSWER = auto()
    """It takes offers, and answers none."""
    NO_PONG = auto()
    """It answers no WebSocket ping, like a machine that hangs."""
    FOREIGN_SESSIONS = auto()
    """It answers for a session that is not its own, and sends the right answer after it."""


class ClientFault(Enum):
    """What a client does wrong."""

    NO_OFFER = auto()
    """It asks for the home, and then says nothing."""
    NO_PONG = auto()
    """It answers no WebSocket ping, like a phone without a network."""
    FOREIGN_SESSIONS = auto()
    """It names a session that is not its own in all that it sends to the home."""
    NONSENSE = auto()
    """It sends text that is no JSON before its request, and no message of the protocol after it."""
    NONSENSE_CANDIDATES = auto()
    """Before its own candidates it names some that make no sense."""
