"""What all clients together, and each of them, may make this program hold or ask of Music Assistant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds; a household's guests stay far below them."""

    sessions: int = 64
    """With the API open, at once; beyond it the oldest that has not logged in gives way, and where all have, nobody is
    served."""
    connecting: int = 8
    """Beyond those, until they open the API. A proof that the Remote ID is ours never does, and finds a place here."""
    channels: int = 8
    """Data channels of one session at once; those beyond them are closed. Clients use four."""
    all_bytes: int = 32 * 1024 * 1024
    """That wait for all clients, or of them for Music Assistant. Beyond half of them each session has an equal share of
    the other half; who is beyond that waits, and Music Assistant with it (``memory``)."""
    waiting_bytes: int = 4 * 1024 * 1024
    """That one data channel has sent and Music Assistant has not taken yet, with 64 more for each message; beyond them
    the channel is closed."""
    requests: int = 6
    """Requests by HTTP of one session that are under way at once."""
    waiting_requests: int = 64
    """Of one session, those included; beyond them the answer is 503, and beyond twice as many there is none."""
    all_requests: int = 32
    """Requests of all sessions together that Music Assistant has not begun to answer."""
    body_bytes: int = 16 * 1024 * 1024
    """Of an answer by HTTP; beyond them the answer is 502."""
    api_message_bytes: int = 16 * 1024 * 1024
    """Of one message that Music Assistant sends; its own remote access takes 4 MiB."""
    candidates: int = 32
    """Addresses of one client that are tried."""
    connect_seconds: float = 60.0
    """That a session has until its channel ``ma-api`` is open."""
    stalled_seconds: float = 30.0
    """That a client may take nothing of what waits for it in a channel; then its session ends."""
