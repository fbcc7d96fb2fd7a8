"""Token buckets for messages and bytes. The time is passed in as ``now``, in seconds."""

from __future__ import annotations

from collections import deque
from math import inf

from ma_signaling.core.peer import NEVER
from ma_signaling.core.sliding_window import MINUTE

REMEMBERED_DROPS = 100
"""How many of the latest drops are remembered."""


class Allowance:
    """How much may come: a burst of ``burst`` messages, then ``rate`` a second; likewise for bytes. 0: no limit."""

    __slots__ = ("burst", "byte_burst", "byte_rate", "rate")

    def __init__(self, rate: float, burst: int, byte_rate: float = 0.0, byte_burst: int = 0) -> None:
        self.rate = rate
        self.burst = burst if rate and burst else inf
        self.byte_rate = byte_rate
        self.byte_burst = byte_burst if byte_rate and byte_burst else inf


class Budget:
    """What is left of an allowance: a token bucket of messages, and one of bytes."""

    __slots__ = ("_allowance", "_at", "_bytes", "_drops", "_messages", "_told_at")

    def __init__(self, allowance: Allowance, now: float) -> None:
        self._allowance = allowance
        self._messages = allowance.burst
        self._bytes = allowance.byte_burst
        self._at = now
        self._told_at = NEVER
        self._drops: deque[float] | None = None
        """The times of the latest drops; None if there was none."""

    def spend(self, now: float, size: int, count: int = 1) -> bool:
        """Charge ``count`` messages of ``size`` bytes in all; return False, and charge nothing, if that is too much.

        ``count`` 0: charge the bytes alone.
        """
        allowance, messages, octets = self._allowance, self._messages, self._bytes
        elapsed = now - self._at
        if elapsed > 0:
            messages += elapsed * allowance.rate
            octets += elapsed * allowance.byte_rate
            # For speed: every message passes here, and min() takes three times as long.
            messages = allowance.burst if messages > allowance.burst else messages  # noqa: FURB136
            octets = allowance.byte_burst if octets > allowance.byte_burst else octets  # noqa: FURB136
        self._at = now
        is_enough = messages >= count and octets >= size
        if is_enough:
            messages, octets = messages - count, octets - size
        self._messages, self._bytes = messages, octets
        return is_enough

    def refund(self, size: int, count: int) -> None:
        """Take back the charge for ``count`` messages of ``size`` bytes in all."""
        self._messages += count
        self._bytes += size

    def dropped(self, now: float) -> None:
        """Note that a message beyond the budget was dropped."""
        if self._drops is None:
            self._drops = deque(maxlen=REMEMBERED_DROPS)
        self._drops.append(now)

    def has_dropped(self, now: float, number: int) -> bool:
        """Return whether ``number`` messages (at most ``REMEMBERED_DROPS``) were dropped within the last minute."""
        drops = self._drops
        return drops is not None and len(drops) >= number and now - drops[-number] < MINUTE

    def wait(self) -> float:
        """Return the seconds from the last ``spend`` until another message may come."""
        return (1 - self._messages) / self._allowance.rate if self._messages < 1 else 1.0

    def may_tell(self, now: float) -> bool:
        """Return whether to tell the sender of a drop now, which is done at most once a second."""
        if 0 <= now - self._told_at < 1:
            return False
        self._told_at = now
        return True
