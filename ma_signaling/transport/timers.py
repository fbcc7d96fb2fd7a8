"""Timers that many share: periodic jobs, deadlines of connections, and the pings that keep connections alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ma_signaling.transport.sockets import cork

TICK_SECONDS = 0.5
"""How late a deadline may be noticed."""

SLOTS = 30
"""Parts of the ping interval, over which connections are spread."""

_log = Logger(namespace="ma_signaling")


class Periodic(Service):
    """Calls a function at a fixed interval, for the first time after one, or ``now``. An exception in it is logged.

    A ``LoopingCall`` alone stops for good at the first exception. Of several in a row only the first is logged.
    """

    def __init__(
        self,
        job: str,
        seconds: float,
        call: Callable[[], object],
        reactor: IReactorTime,
        *,
        now: bool = False,
    ) -> None:
        self._job = job
        self._seconds = seconds
        self._function = call
        self._starts_now = now
        self._is_failing = False
        self._loop = LoopingCall(self._call)
        self._loop.clock = reactor

    def startService(self) -> None:
        super().startService()
        self._loop.start(self._seconds, self._starts_now)

    def stopService(self) -> None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def _call(self) -> None:
        try:
            self._function()
        except Exception:  # noqa: BLE001 - whatever it is, the job must go on
            if not self._is_failing:
                _log.failure(
                    "{job}: failed; it is tried again every {seconds} s", job=self._job, seconds=self._seconds
                )
            self._is_failing = True
        else:
            self._is_failing = False


class Waiting(Protocol):
    """Something with a deadline."""

    deadline: dict[Waiting, float] | None
    """The queue that it is in: for ``Deadlines`` only."""

    def deadline_passed(self) -> None: ...


class Deadlines(Periodic):
    """One timer for all deadlines: a queue for each length of time, in which those who came first are due first.

    Ticks are counted, not seconds: a loop that stands still lets no deadline pass.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        super().__init__("deadlines", TICK_SECONDS, self._tick, reactor)
        self._queues: dict[float, dict[Waiting, float]] = {}
        self._now = 0.0

    def set(self, waiting: Waiting, seconds: float) -> None:
        """Call ``deadline_passed`` after ``seconds``, and at no time that was set before."""
        self.clear(waiting)
        queue = self._queues.setdefault(seconds, {})
        # A part of the current tick is over already.
        queue[waiting] = self._now + TICK_SECONDS + seconds
        waiting.deadline = queue

    def clear(self, waiting: Waiting) -> None:
        """Forget its deadline, if it has one."""
        if waiting.deadline is not None:
            del waiting.deadline[waiting]
            waiting.deadline = None

    def _tick(self) -> None:
        self._now += TICK_SECONDS
        for queue in list(self._queues.values()):
            while queue:
                waiting, due = next(iter(queue.items()))
                if due > self._now:
                    break
                self.clear(waiting)
                try:
                    waiting.deadline_passed()
                except Exception:  # noqa: BLE001 - the others have deadlines too
                    _log.failure("a deadline: failed")


class Pinged(Protocol):
    """A connection that wants to be pinged."""

    slot: int

    def keep_alive(self) -> None: ...


class KeepAlive(Periodic):
    """A wheel: connections are spread over slots, and each tick visits one slot.

    A turn takes the ping interval. Turns are counted, not seconds: a loop that stands still kills nobody.
    """

    def __init__(self, reactor: IReactorTime, interval: float) -> None:
        super().__init__("keep-alive", interval / SLOTS, self._tick, reactor)
        self._slots: list[dict[Pinged, None]] = [{} for _ in range(SLOTS)]
        self._current = 0

    def add(self, connection: Pinged) -> None:
        """Visit ``connection`` once a turn, for the first time after a whole one."""
        connection.slot = self._current
        self._slots[self._current][connection] = None

    def remove(self, connection: Pinged) -> None:
        """Visit it no more."""
        self._slots[connection.slot].pop(connection, None)

    def _tick(self) -> None:
        self._current = (self._current + 1) % SLOTS
        # Each is sent a WebSocket ping and a JSON ping: corked, in one packet.
        cork.put_in()
        try:
            for connection in list(self._slots[self._current]):
                connection.keep_alive()
        finally:
            cork.pull()
