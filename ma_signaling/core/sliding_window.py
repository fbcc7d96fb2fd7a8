"""Sliding windows, which limit the events within any minute or hour (docs/protocol.md, *Limits*)."""

from __future__ import annotations

from bisect import bisect_right

MINUTE = 60.0
HOUR = 3600.0


class SlidingWindow(list[float]):
    """The times of the latest events, to limit those within any ``SECONDS`` (never twice the limit at an edge).

    A subclass of list to save memory, since there may be two for each idle home.
    """

    __slots__ = ()
    SECONDS = MINUTE

    def wait(self, now: float, max_events: int) -> float:
        """Return the seconds until another event fits, 0 if it does now. ``max_events`` 0: no limit."""
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
    """A window of an hour."""

    __slots__ = ()
    SECONDS = HOUR
