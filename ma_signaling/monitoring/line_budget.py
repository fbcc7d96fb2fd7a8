"""A limit on log lines of one kind, since strangers can cause some as often as they like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ma_signaling.core.peer import Clock
from ma_signaling.core.sliding_window import MINUTE

MAX_LINES = 20
"""The default limit on lines of a kind within a minute."""


class LineBudget:
    """Counts lines by kind; ``tell(kind, count)`` is called a minute after the first, if lines were left out."""

    def __init__(self, clock: Clock, tell: Callable[[str, int], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._counts: Counter[str] = Counter()

    def may_write(self, kind: str, max_lines: int = MAX_LINES) -> bool:
        """Count a line; return whether it is within the limit."""
        if kind not in self._counts:
            self._clock.callLater(MINUTE, self._end_minute, kind, max_lines)
        self._counts[kind] += 1
        return self._counts[kind] <= max_lines

    def _end_minute(self, kind: str, max_lines: int) -> None:
        left_out = self._counts.pop(kind) - max_lines
        if left_out > 0:
            self._tell(kind, left_out)
