"""A claim: newcomers who ask for a Remote ID that another one holds here, or may hold on another node."""

from __future__ import annotations

from secrets import token_bytes

from ma_signaling.core.connection import Connection
from ma_signaling.core.peer import Timer


class Claim:
    """One check whether the holder of a Remote ID lives, and those who wait for its verdict."""

    __slots__ = ("newcomers", "payload", "timer")

    def __init__(self) -> None:
        self.payload = token_bytes(8)
        """What the holder is pinged with; any pong to it is a sign of life."""
        self.newcomers: dict[Connection, bytes | None] = {}
        """In the order in which they came, with the ICE servers that they registered."""
        self.timer: Timer | None = None
