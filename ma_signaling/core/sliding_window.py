"""Sliding windows: never more than so many events within any so many seconds (docs/protocol.md, *Limits*)."""

from __future__ import annotations

from bisect import bisect_right

MINUTE = 60.0
HOUR = 3600.0


class SlidingWindow:
    """Never more than ``max_events`` events within any ``seconds`` (not twice that at an edge)."""

    __slots__ = ("_seconds", "_times")

    def __init__(self, seconds: float = MINUTE) -> None:
        self._seconds = seconds
        self._times: list[float] = []

    def wait(self, now: float, max_events: int) -> float:
        """Return the seconds until another event fits, 0 where it does now. ``max_events`` 0: no limit."""
        times = self._times
        del times[: bisect_right(times, now - self._seconds)]
        return self._seconds - (now - times[-max_events]) if 0 < max_events <= len(times) else 0.0

    def admit(self, now: float, max_events: int) -> float:
        """Count an event and return 0; otherwise return the seconds until one fits. ``max_events`` 0: no limit."""
        wait = self.wait(now, max_events)
        if wait == 0 and max_events:
            self.add(now)
        return wait

    def add(self, now: float) -> None:
        """Count an event."""
        self._times.append(now)

    def is_idle(self, now: float) -> bool:
        """Return whether the window can be forgotten."""
        return not self._times or now - self._times[-1] >= self._seconds
