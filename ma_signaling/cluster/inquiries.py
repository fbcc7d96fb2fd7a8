"""A session's story, which is kept by its client's node, for somebody who asks another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ma_signaling.cluster.here import Here
from ma_signaling.cluster.wire import Fields
from ma_signaling.core.peer import Timer
from ma_signaling.core.verdicts import describe

PATIENCE_SECONDS = 1.0
"""How long the one who knows may take; one who doesn't says nothing."""

Told = Callable[[dict[str, Any] | None], None]


class Inquiries:
    """Those that are open, and others'."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self._open: dict[int, tuple[Told, Timer]] = {}

    def ask(self, session_id: str, told: Told) -> None:
        """Ask all nodes for a story; ``told`` hears None if none knows it."""
        if not self._here.bus.is_up:
            told(None)
            return
        ask = self._here.next_ask()
        self._open[ask] = told, self._here.clock.callLater(PATIENCE_SECONDS, self._in_vain, ask)
        self._here.tell_everybody("inquire", s=session_id, ask=ask)

    def _in_vain(self, ask: int) -> None:
        self._open.pop(ask)[0](None)

    def hear_story(self, fields: Fields) -> None:
        """Another node knows it."""
        if fields["ask"] in self._open:
            told, timer = self._open.pop(fields["ask"])
            timer.cancel()
            told(fields["story"])

    def hear_inquiry(self, fields: Fields) -> None:
        """Another node asks."""
        now = self._here.clock.seconds()
        trace = self._here.hub.sessions.traces.find(fields["s"], now)
        if trace is not None:
            self._here.tell(fields["node"], "story", ask=fields["ask"], story=describe(trace, now))
