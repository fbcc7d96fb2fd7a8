"""Follows one home, session, connection or address live: each event about it, as a line of JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

import orjson

from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress

NAMES = ("remote_id", "session", "connection")
"""Details that say what an event is about."""

Write = Callable[[bytes], None]


class Followers:
    """A ``Report`` that passes events on to whoever follows what they are about."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._by_target: dict[str, list[Write]] = {}

    def __len__(self) -> int:
        return len(self._by_target)

    def follow(self, targets: Collection[str], write: Write) -> Callable[[], None]:
        """Call ``write`` with each line about one of ``targets``; returns what ends that."""
        for target in targets:
            self._by_target.setdefault(target, []).append(write)

        def stop() -> None:
            for target in targets:
                writers = self._by_target[target]
                writers.remove(write)
                if not writers:
                    del self._by_target[target]

        return stop

    def __call__(self, event: Event, /, **details: object) -> None:
        """Pass one event on; for speed, as a rule nobody follows anything."""
        if not self._by_target:
            return
        about = {str(details[name]) for name in NAMES if name in details}
        address = details.get("address")
        if isinstance(address, ClientAddress):
            about |= {address.text, address.key}
        writers = {write: None for target in about for write in self._by_target.get(target, ())}
        if writers:
            line = self._line(event, details)
            for write in writers:
                write(line)

    def _line(self, event: Event, details: dict[str, object]) -> bytes:
        shown: dict[str, Any] = {"time": round(self._wall(), 3), "event": event.value}
        for name, value in details.items():
            if name == "told" or value == "":
                continue
            if isinstance(value, ClientAddress):
                shown[name] = value.text
            elif isinstance(value, float):
                shown[name] = round(value, 3)
            else:
                shown[name] = value if isinstance(value, int | float | str) or value is None else str(value)
        return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)
