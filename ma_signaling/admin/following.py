"""Following a home, session, connection or address live: each event about it as a line of JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import orjson

from ma_signaling.core.events import Event
from ma_signaling.core.peer import ClientAddress

NAMES = ("remote_id", "session", "connection")
"""Details that name what an event is about."""

_BEGINS = {
    Event.HOME_REGISTERED: "connection",
    Event.HOME_RETURNED: "connection",
    Event.SESSION_REQUESTED: "session",
}
_ENDS = {
    Event.HOME_LEFT: "connection",
    Event.HOME_LOST: "connection",
    Event.SESSION_FAILED: "session",
    Event.SESSION_ENDED: "session",
}
"""Events that begin or end a home's connection or a session, with the detail that names it."""

MAX_TIED = 10_000
"""The most homes' connections and sessions that are tied to targets: if a client leaves early, no event ends one."""

Write = Callable[[bytes], None]


class Followers:
    """A ``Reporter`` that passes events on to the followers of what they are about."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._by_target: dict[str, list[Write]] = {}
        self._tied: dict[str, list[Write]] = {}
        """Followers by homes' connections and sessions that belong to their target: some events name only those."""

    def __len__(self) -> int:
        return len(self._by_target) + len(self._tied)

    def follow(
        self, targets: Collection[str], write: Write, belonging: Collection[str] = ()
    ) -> Callable[[], None]:
        """Call ``write`` with each line about one of ``targets``; return a function that ends that.

        ``belonging`` are the homes' connections and the sessions that belong to the targets now.
        """
        for names, followers in ((targets, self._by_target), (belonging, self._tied)):
            for name in names:
                followers.setdefault(name, []).append(write)

        return partial(self._stop, write)

    def _stop(self, write: Write) -> None:
        for followers in (self._by_target, self._tied):
            for name in list(followers):
                followers[name] = [each for each in followers[name] if each is not write]
                if not followers[name]:
                    del followers[name]

    def take(self, event: Event, details: Mapping[str, object]) -> None:
        """Pass an event on to its followers; fast in the usual case that there are none."""
        if not self._by_target:
            return
        about = {str(details[name]) for name in NAMES if name in details}
        address = details.get("address")
        if isinstance(address, ClientAddress):
            about |= {address.text, address.key}
        writers = {
            write: None
            for followers in (self._by_target, self._tied)
            for name in about
            for write in followers.get(name, ())
        }
        if writers:
            line = self._line(event, details)
            for write in writers:
                write(line)
        if writers and (begun := details.get(_BEGINS.get(event, ""))) is not None:
            self._tied[str(begun)] = list(writers)
            if len(self._tied) > MAX_TIED:
                del self._tied[next(iter(self._tied))]
        elif (ended := details.get(_ENDS.get(event, ""))) is not None:
            self._tied.pop(str(ended), None)

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
