"""Fair shares, by address, of events within the last minute or hour, which can't be taken back.

The rule and the paths are those of ``shares``: while there is room, a party may have what nobody else needs; beyond
that, only parties that have had less than their share are admitted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from ma_signaling.core.shares import Path


class _Count:
    """How many events came from a block of addresses, and from the blocks within it."""

    __slots__ = ("blocks", "events")

    def __init__(self) -> None:
        self.events = 0
        self.blocks: dict[Hashable, _Count] = {}


class SharedWindow:
    """Limits events within any ``seconds``, and shares them fairly between parties.

    Since events can't be taken back, parties that have had less than their fair share are still admitted beyond the
    capacity, until there are ``ceiling`` events in all.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._events: deque[tuple[float, Path]] = deque()
        self._root = _Count()

    def __len__(self) -> int:
        return len(self._events)

    def admit(self, path: Path, now: float, capacity: int, ceiling: int) -> float:
        """Count an event and return 0; otherwise return the seconds until one may come. ``capacity`` 0: no limit."""
        wait = self.wait(path, now, capacity, ceiling)
        if wait == 0:
            self.add(path, now)
        return wait

    def wait(self, path: Path, now: float, capacity: int, ceiling: int) -> float:
        """Return the seconds until an event may come, 0 if it may come now."""
        self.forget(now)
        if 0 < capacity <= len(self._events) and (
            len(self._events) >= ceiling or not self._is_below_share(path, capacity)
        ):
            return self._seconds - (now - self._events[0][0])
        return 0.0

    def add(self, path: Path, now: float) -> None:
        """Count an event."""
        self._events.append((now, path))
        block = self._root
        for key in path:
            block = block.blocks.setdefault(key, _Count())
            block.events += 1

    def is_idle(self, now: float) -> bool:
        """Return whether the window is empty and can be forgotten."""
        self.forget(now)
        return not self._events

    def forget(self, now: float) -> None:
        """Forget events that are older than the window."""
        while self._events and now - self._events[0][0] >= self._seconds:
            _, path = self._events.popleft()
            block = self._root
            for key in path:
                parent, block = block, block.blocks[key]
                block.events -= 1
                if not block.events:
                    del parent.blocks[key]

    def _is_below_share(self, path: Path, capacity: int) -> bool:
        """Return whether a party, and each block that contains it, has had less than its share."""
        block, share = self._root, float(capacity)
        for key in path:
            own = block.blocks.get(key)
            if own is None:
                return True
            share /= len(block.blocks)
            if own.events >= share:
                return False
            block = own
        return True
