"""A table with a bounded number of entries: the least recently used ones are forgotten first."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Generic, Protocol, TypeVar

MAX_LOOKED_AT = 1000
"""How many entries one ``prune`` looks at: more would keep all connections waiting."""


class Forgettable(Protocol):
    """An entry of a table."""

    def is_idle(self, now: float) -> bool:
        """Return whether the entry has no effect any more and can be forgotten."""


Entry = TypeVar("Entry", bound=Forgettable)


class LruTable(Generic[Entry]):
    """An entry for each recently used key, made when it is first asked for; ``max_entries`` at most."""

    def __init__(self, make: Callable[[], Entry], max_entries: int) -> None:
        self._make: Callable[[], Entry] = make
        self._max_entries = max_entries
        self._entries: dict[str, Entry] = {}
        """In order of use, the latest last."""

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, key: str) -> Entry:
        entry = self._entries.pop(key, None)
        if entry is None:
            if len(self._entries) >= self._max_entries:
                # Several together: to find its first entry, a dict passes over all that were removed before it.
                self._forget(self._oldest(1 + self._max_entries // 100))
            entry = self._make()
        self._entries[key] = entry
        return entry

    def get(self, key: str) -> Entry | None:
        """Return the entry for a key, or None. Doesn't count as a use."""
        return self._entries.get(key)

    def discard(self, key: str) -> None:
        """Forget a key, if it is there."""
        self._entries.pop(key, None)

    def prune(self, now: float) -> None:
        """Forget those of the ``MAX_LOOKED_AT`` oldest entries that are idle."""
        self._forget([key for key in self._oldest(MAX_LOOKED_AT) if self._entries[key].is_idle(now)])

    def _oldest(self, count: int) -> list[str]:
        return list(islice(self._entries, count))

    def _forget(self, keys: list[str]) -> None:
        for key in keys:
            del self._entries[key]
