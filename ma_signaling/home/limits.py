"""Limits on what each client, and all together, may make this program hold or request from Music Assistant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits; a household's guests stay far below them."""

    sessions: int = 64
    """Sessions with the API open. Beyond them the oldest one without a login is ended; if all have logged in, the new
    one is refused."""
    connecting: int = 8
    """Further sessions, which haven't opened the API yet. Proofs of our Remote ID never open it, and fit in here."""
    channels: int = 8
    """Data channels of one session; further ones are closed. Clients use four."""
    all_bytes: int = 32 * 1024 * 1024
    """Bytes that wait for all clients, or of them for Music Assistant. Beyond half of them each session has an equal
    share of the other half; reading from Music Assistant pauses for sessions beyond their share (``memory``)."""
    waiting_bytes: int = 4 * 1024 * 1024
    """Bytes that one data channel has received and Music Assistant has not taken yet, with 64 more for each message;
    beyond them the channel is closed."""
    requests: int = 6
    """HTTP requests of one session that are under way."""
    waiting_requests: int = 64
    """HTTP requests of one session including waiting ones; further ones get a 503, beyond twice as many no answer."""
    all_requests: int = 32
    """HTTP requests of all sessions that Music Assistant has not begun to answer."""
    body_bytes: int = 16 * 1024 * 1024
    """Bytes of an HTTP answer; a longer one is replaced by a 502."""
    api_message_bytes: int = 16 * 1024 * 1024
    """Bytes of one message of Music Assistant; its own remote access takes 4 MiB."""
    candidates: int = 32
    """ICE candidates of one client that are tried."""
    connect_seconds: float = 60.0
    """Time for a session to open its channel ``ma-api``."""
    stalled_seconds: float = 30.0
    """How long a client may take nothing of what waits in a channel before its session ends."""
