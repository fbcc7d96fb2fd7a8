"""Follows one home, session, connection or address live: each event about it, as a line of JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import orjson

from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress

NAMES = ("remote_id", "session", "connection")
"""Details that say what an event is about."""

_COMES = (Event.HOME_REGISTERED, Event.HOME_RETURNED)
_GOES = (Event.HOME_LEFT, Event.HOME_LOST)
"""Events with which a connection becomes a home's, and no longer is."""

Write = Callable[[bytes], None]


class Followers:
    """A ``Reporter`` that passes events on to whoever follows what they are about."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._by_target: dict[str, list[Write]] = {}

    def __len__(self) -> int:
        return len(self._by_target)

    def follow(self, targets: Collection[str], write: Write) -> Callable[[], None]:
        """Call ``write`` with each line about one of ``targets``; returns what ends that."""
        for target in targets:
            self._by_target.setdefault(target, []).append(write)

        return partial(self._stop, write)

    def _stop(self, write: Write, only: str | None = None) -> None:
        for target in [only] if only else list(self._by_target):
            writers = [each for each in self._by_target[target] if each is not write]
            self._by_target[target] = writers
            if not writers:
                del self._by_target[target]

    def take(self, event: Event, details: Mapping[str, object]) -> None:
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
            if event in _COMES or event in _GOES:
                self._go_with(event in _COMES, str(details["remote_id"]), str(details["connection"]))

    def _go_with(self, comes: bool, remote_id: str, connection: str) -> None:
        """Follow a home's connection as well, since some events name that alone."""
        for write in self._by_target.get(remote_id, ()):
            if comes:
                self._by_target.setdefault(connection, []).append(write)
            elif connection in self._by_target:
                self._stop(write, connection)

    def _line(self, event: Event, details: Mapping[str, object]) -> bytes:
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
