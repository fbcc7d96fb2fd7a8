"""Answered sessions of a home that another connection holds now: they wait until it has proved itself.

Nothing is delivered in them meanwhile. The call may well be up, so they end in silence where nobody proves it in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from ma_signaling.core.home import NONE, Home
from ma_signaling.core.peer import Clock, Timer
from ma_signaling.core.run_all import run_all
from ma_signaling.core.sessions import Sessions

WAIT_SECONDS = 600.0
"""How long they wait: a home that lost its Remote ID comes back after 10, 30, 70 s … of absence."""

ASK_SECONDS = 60.0
"""How often a holder is asked for its proof that has given none."""


@dataclass(slots=True)
class _Wait:
    until: float
    timer: Timer


class Suspension:
    """All homes with sessions that wait."""

    def __init__(
        self,
        clock: Clock,
        sessions: Sessions,
        ask: Callable[[Home], None],
        over: Callable[[Home], None],
    ) -> None:
        """``ask`` asks a home's holder for proof, if there is one; ``over`` hears that nothing waits any more."""
        self._clock = clock
        self._sessions = sessions
        self._ask = ask
        self._over = over
        self._waits: dict[Home, _Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def suspend(self, home: Home, session_ids: Iterable[str]) -> None:
        """Let these sessions of a home wait, and no others; what waits for others can be flushed."""
        suspended = frozenset(session_ids)
        if not suspended:
            self.forget(home)
            return
        home.suspended = suspended
        until = self._clock.seconds() + WAIT_SECONDS
        if home in self._waits:
            self._waits[home].until = until
        else:
            self._waits[home] = _Wait(until, self._clock.callLater(ASK_SECONDS, self._tick, home))

    def forget(self, home: Home) -> None:
        """Nothing of a home waits any more."""
        home.suspended = NONE
        self.stop(home)

    def stop(self, home: Home) -> None:
        """Let the sessions of a home wait on, to no end: nobody is asked any more."""
        wait = self._waits.pop(home, None)
        if wait is not None:
            wait.timer.cancel()

    def expire(self, home: Home) -> None:
        """End the sessions of a home that wait."""
        suspended = [each for each in self._sessions.of(home) if each.id in home.suspended]
        home.forget_messages(home.suspended)
        self.forget(home)
        run_all(
            (*(partial(self._sessions.expire, session) for session in suspended), partial(self._over, home))
        )

    def _tick(self, home: Home) -> None:
        wait = self._waits[home]
        is_needed = any(each.id in home.suspended for each in self._sessions.of(home))
        if is_needed and self._clock.seconds() < wait.until:
            wait.timer = self._clock.callLater(ASK_SECONDS, self._tick, home)
            self._ask(home)
        else:
            del self._waits[home]
            self.expire(home)
