"""Errors that are sent to peers, and close codes.

Clients in the field match the texts, so these are fixed to the letter; ``code`` is for programs. See *Errors to a
peer* in docs/protocol.md.
"""

from __future__ import annotations

from enum import IntEnum
from math import ceil
from typing import NamedTuple


class CloseCode(IntEnum):
    """Close codes that this server sends (RFC 6455 section 7.4; 4000-4999 are for private use)."""

    POLICY = 1008
    INTERNAL_ERROR = 1011
    RESTARTING = 1012
    TRY_AGAIN_LATER = 1013
    BLOCKED = 4008
    RATE_LIMITED = 4029


class WireError(NamedTuple):
    """One error message: a stable ``code``, the exact ``text``, and seconds to wait where waiting helps."""

    code: str
    text: str
    retry_after: int | None = None


class Refused(Exception):
    """Raised by a handler to answer the sender with ``error``; nothing has been changed."""

    def __init__(self, error: WireError) -> None:
        super().__init__(error.text)
        self.error = error


BAD_MESSAGE = WireError("bad-message", "Invalid message format")
REMOTE_ID_REQUIRED = WireError("remote-id-required", "Remote ID required")
INVALID_REMOTE_ID = WireError("invalid-remote-id", "Invalid Remote ID")
SERVER_NOT_FOUND = WireError(
    "server-not-found",
    "Server not found. Make sure your Music Assistant server is running and has Remote Access enabled.",
)
BLOCKED = WireError("blocked", "Too many failed attempts. You have been temporarily blocked.")
SESSION_ID_REQUIRED = WireError("session-id-required", "Session ID required")
NOT_A_SERVER = WireError("not-a-server", "Not a registered server")
NOT_REGISTERED = WireError("not-registered", "Not registered")
SESSION_NOT_FOUND = WireError("session-not-found", "Session not found")
CLIENT_NOT_FOUND = WireError("client-not-found", "Client not found")
SERVER_DISCONNECTED = WireError("server-disconnected", "Server disconnected")
RESTARTING = WireError("restarting", "Server is restarting", 10)
FULL = WireError("full", "Too many connections", 10)
NOT_ALLOWED = WireError("not-allowed", "Not allowed on this server")
REMOTE_ID_TAKEN = WireError("remote-id-taken", "Remote ID is in use by a server that is online", 10)
ALREADY_SERVER = WireError("wrong-role", "Already registered as a server")
ALREADY_CLIENT = WireError("wrong-role", "Already connected as a client")


def unknown_type(kind: str) -> WireError:
    """Return the error for an unknown message type; ``kind`` is shortened to 64 characters."""
    return WireError("unknown-type", f"Unknown message type: {kind[:64]}")


def rate_limited(wait: float) -> WireError:
    """Return the error for a spent budget; ``wait`` is in seconds, rounded up to at least 1."""
    seconds = whole_seconds(wait)
    return WireError("rate-limited", f"Rate limited. Try again in {seconds} seconds.", seconds)


def home_busy(wait: float) -> WireError:
    """Return the error for a home that can take no more; ``wait`` is in seconds, rounded up to at least 1."""
    seconds = whole_seconds(wait)
    return WireError(
        "home-busy", f"Too many connections to this server. Try again in {seconds} seconds.", seconds
    )


def whole_seconds(wait: float) -> int:
    """Return ``wait`` as it is sent to peers: whole seconds, at least 1."""
    return max(1, ceil(wait))
