"""Sliding windows: never more than so many events within any so many seconds (docs/protocol.md, *Limits*)."""

from __future__ import annotations

from bisect import bisect_right

MINUTE = 60.0
HOUR = 3600.0


class SlidingWindow(list[float]):
    """The times of the latest events: never more than so many within any ``SECONDS`` (not twice that at an edge).

    A list itself, as there may be two for each idle home.
    """

    __slots__ = ()
    SECONDS = MINUTE

    def wait(self, now: float, max_events: int) -> float:
        """Return the seconds until another event fits, 0 where it does now. ``max_events`` 0: no limit."""
        del self[: bisect_right(self, now - self.SECONDS)]
        return self.SECONDS - (now - self[-max_events]) if 0 < max_events <= len(self) else 0.0

    def admit(self, now: float, max_events: int) -> float:
        """Count an event and return 0; otherwise return the seconds until one fits. ``max_events`` 0: no limit."""
        wait = self.wait(now, max_events)
        if wait == 0 and max_events:
            self.add(now)
        return wait

    def add(self, now: float) -> None:
        """Count an event."""
        self.append(now)

    def is_idle(self, now: float) -> bool:
        """Return whether the window can be forgotten."""
        return not self or now - self[-1] >= self.SECONDS


class HourlyWindow(SlidingWindow):
    """Those of an hour."""

    __slots__ = ()
    SECONDS = HOUR
