"""Answered sessions of a home that has a new connection: they wait until that has proved itself.

Nothing is delivered in them meanwhile. The call may well be up, so they end in silence if no proof comes in time.
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
"""How often a holder that has given no proof is asked for one."""


@dataclass(slots=True)
class _Wait:
    until: float
    timer: Timer


class Suspension:
    """All homes with suspended sessions."""

    def __init__(
        self,
        clock: Clock,
        sessions: Sessions,
        ask: Callable[[Home], None],
        over: Callable[[Home], None],
    ) -> None:
        """``ask`` asks a home's holder, if any, for proof; ``over`` is called once its suspended sessions ended."""
        self._clock = clock
        self._sessions = sessions
        self._ask = ask
        self._over = over
        self._waits: dict[Home, _Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def suspend(self, home: Home, session_ids: Iterable[str]) -> None:
        """Suspend these sessions of a home, and no others; messages of the others can then be flushed."""
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
        """Let no session of a home be suspended any more."""
        home.suspended = NONE
        self.stop(home)

    def stop(self, home: Home) -> None:
        """Leave the sessions of a home suspended for good, and ask nobody for proof any more."""
        wait = self._waits.pop(home, None)
        if wait is not None:
            wait.timer.cancel()

    def expire(self, home: Home) -> None:
        """End the suspended sessions of a home in silence."""
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
