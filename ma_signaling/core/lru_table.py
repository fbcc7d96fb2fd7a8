"""A table that remembers a bounded number of keys: the one that was used least recently is forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Forgettable(Protocol):
    """What stands for a key."""

    def is_idle(self, now: float) -> bool:
        """Whether it can be forgotten."""


Entry = TypeVar("Entry", bound=Forgettable)


class LruTable(Generic[Entry]):
    """An entry for each key that was used lately, made when it is first asked for; at most ``max_entries``."""

    def __init__(self, make: Callable[[], Entry], max_entries: int) -> None:
        self._make: Callable[[], Entry] = make
        self._max_entries = max_entries
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, key: str) -> Entry:
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= self._max_entries:
                self._entries.popitem(last=False)
            entry = self._entries[key] = self._make()
        else:
            self._entries.move_to_end(key)
        return entry

    def get(self, key: str) -> Entry | None:
        """Return the entry for a key, if there is one; that is no use of it."""
        return self._entries.get(key)

    def discard(self, key: str) -> None:
        """Forget a key, if it is there."""
        self._entries.pop(key, None)

    def prune(self, now: float, max_looked_at: int = 1000) -> None:
        """Look at the oldest entries and forget those that no longer matter."""
        for key in [key for key, _ in zip(self._entries, range(max_looked_at), strict=False)]:
            if self._entries[key].is_idle(now):
                del self._entries[key]
