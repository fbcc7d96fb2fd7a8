"""A table that remembers a bounded number of keys: the one that was used least recently is forgotten first."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Generic, Protocol, TypeVar

MAX_LOOKED_AT = 1000
"""Entries that are looked at each time that a table is pruned: more would keep everybody else waiting."""


class Forgettable(Protocol):
    """What stands for a key."""

    def is_idle(self, now: float) -> bool:
        """Return whether it can be forgotten."""


Entry = TypeVar("Entry", bound=Forgettable)


class LruTable(Generic[Entry]):
    """An entry for each key that was used lately, made when it is first asked for; at most ``max_entries``."""

    def __init__(self, make: Callable[[], Entry], max_entries: int) -> None:
        self._make: Callable[[], Entry] = make
        self._max_entries = max_entries
        self._entries: dict[str, Entry] = {}
        """The one that was used last comes last."""

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, key: str) -> Entry:
        entry = self._entries.pop(key, None)
        if entry is None:
            if len(self._entries) >= self._max_entries:
                # Some at once: a dict looks for its first entry through all that were removed before it.
                self._forget(self._oldest(1 + self._max_entries // 100))
            entry = self._make()
        self._entries[key] = entry
        return entry

    def get(self, key: str) -> Entry | None:
        """Return the entry for a key, if there is one; that is no use of it."""
        return self._entries.get(key)

    def discard(self, key: str) -> None:
        """Forget a key, if it is there."""
        self._entries.pop(key, None)

    def prune(self, now: float) -> None:
        """Look at the oldest entries and forget those that no longer matter."""
        self._forget([key for key in self._oldest(MAX_LOOKED_AT) if self._entries[key].is_idle(now)])

    def _oldest(self, count: int) -> list[str]:
        return list(islice(self._entries, count))

    def _forget(self, keys: list[str]) -> None:
        for key in keys:
            del self._entries[key]
