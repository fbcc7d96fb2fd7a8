"""What all clients together, and each of them, may make this program hold or ask of Music Assistant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds; a household's guests stay far below them."""

    sessions: int = 64
    """At once; beyond it the oldest that never connected gives way, and where all are connected nobody is admitted."""
    channels: int = 8
    """Data channels of one session at once; those beyond them are closed. Clients use four."""
    waiting_bytes: int = 4 * 1024 * 1024
    """That one data channel has sent and Music Assistant has not taken yet, with 64 more for each message; beyond them
    the channel is closed."""
    requests: int = 6
    """Requests by HTTP of one session that Music Assistant is asked at once."""
    waiting_requests: int = 64
    """Of one session, those included; beyond them the answer is 503, and beyond twice as many there is none."""
    all_requests: int = 32
    """Connections to Music Assistant for requests of all sessions together."""
    body_bytes: int = 16 * 1024 * 1024
    """Of an answer by HTTP; beyond them the answer is 502."""
    api_message_bytes: int = 64 * 1024 * 1024
    """Of one message that Music Assistant sends."""
    candidates: int = 32
    """Addresses of one client that are tried."""
    connect_seconds: float = 60.0
    """That a session has until its channel ``ma-api`` is open."""
    stalled_seconds: float = 30.0
    """That a client may take nothing of what waits for it."""
