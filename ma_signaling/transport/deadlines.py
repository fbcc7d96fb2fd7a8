"""One timer for all connections that have a deadline, in place of one for each."""

from __future__ import annotations

from typing import Protocol

from ma_signaling.core.peer import Clock

TICK_SECONDS = 0.5
"""How late a deadline may be noticed."""


class Waiting(Protocol):
    """Something with a deadline; ``deadline_passed`` must not raise."""

    deadline: dict[Waiting, float] | None
    """The queue that it is in: for ``Deadlines`` only."""

    def deadline_passed(self) -> None: ...


class Deadlines:
    """A queue for each length of time: within one, those who came first are due first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[float, dict[Waiting, float]] = {}
        self._is_ticking = False

    def set(self, waiting: Waiting, seconds: float) -> None:
        """Call ``deadline_passed`` after ``seconds``, and at no time that was set before."""
        self.clear(waiting)
        queue = self._queues.setdefault(seconds, {})
        queue[waiting] = self._clock.seconds() + seconds
        waiting.deadline = queue
        if not self._is_ticking:
            self._is_ticking = True
            self._clock.callLater(TICK_SECONDS, self._tick)

    def clear(self, waiting: Waiting) -> None:
        """Forget its deadline, if it has one."""
        if waiting.deadline is not None:
            del waiting.deadline[waiting]
            waiting.deadline = None

    def _tick(self) -> None:
        now = self._clock.seconds()
        for queue in self._queues.values():
            while queue:
                waiting, due = next(iter(queue.items()))
                if due > now:
                    break
                self.clear(waiting)
                waiting.deadline_passed()
        self._is_ticking = any(self._queues.values())
        if self._is_ticking:
            self._clock.callLater(TICK_SECONDS, self._tick)
