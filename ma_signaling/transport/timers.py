"""Shared timers: periodic jobs, deadlines of connections, and the pings that keep connections alive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from math import ceil
from secrets import token_bytes
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ma_signaling.core.run_all import run_all
from ma_signaling.transport.sockets import has_received, received_and_unread

TICK_SECONDS = 0.5
"""How often deadlines are checked, and so how late one may be noticed."""

RECENT_SECONDS = 20.0
"""For how long a lag matters to verdicts: the longest time that a holder of a Remote ID has to answer a probe."""

SLOTS = 30
"""The number of parts of the ping interval over which connections are spread."""

_log = Logger(namespace="ma_signaling")


class Periodic(Service):
    """Calls a function at a fixed interval, first after one interval or ``now``, and goes on after an exception.

    A ``LoopingCall`` alone stops for good at the first exception. Of several in a row, only the first is logged.
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
                    "{job}: failed; trying again every {seconds} s", job=self._job, seconds=self._seconds
                )
            self._is_failing = True
        else:
            self._is_failing = False


class Waiting(Protocol):
    """Something with a deadline."""

    deadline_queue: dict[Waiting, Any] | None
    """The queue that its deadline is in, None while it has none. Only for use by ``Deadlines``."""
    transport: Any

    @property
    def is_put_off(self) -> bool:
        """Whether received bytes wait to be handled."""

    def deadline_passed(self) -> None: ...


class Deadlines(Periodic):
    """One timer for all deadlines, with a queue for each duration, in order of time.

    Ticks are counted, not seconds, so that no deadline passes while the loop stands still. A deadline that is due
    passes only after everything that its socket held by then was handled: on a lagging loop, this server may be late.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        super().__init__("deadlines", TICK_SECONDS, self._tick, reactor)
        self._reactor = reactor
        self._queues: dict[float, dict[Waiting, float]] = {}
        self._reading: dict[Waiting, int] = {}
        """Those whose deadline is due, with the number of bytes that must be received before it passes."""
        self._now = 0.0
        self._ticked_at = reactor.seconds()
        self._lags: deque[tuple[float, float]] = deque()
        """Late ticks: their time, and by how many seconds they were late."""

    def set(self, waiting: Waiting, seconds: float) -> None:
        """Call ``deadline_passed`` after ``seconds``, in place of an earlier deadline."""
        self.clear(waiting)
        queue = self._queues.setdefault(seconds, {})
        # One tick more, since part of the current one is over.
        queue[waiting] = self._now + TICK_SECONDS + seconds
        waiting.deadline_queue = queue

    def clear(self, waiting: Waiting) -> None:
        """Clear the deadline, if there is one."""
        if waiting.deadline_queue is not None:
            del waiting.deadline_queue[waiting]
            waiting.deadline_queue = None

    def after_reading(self, reader: Reader, call: Callable[[], None]) -> None:
        """Call ``call`` once ``reader`` has handled everything that has arrived, never before this returns.

        The call is delayed by the recent lag of the loop.
        """
        verdict = _Verdict(reader, call)
        lag = self._recent_lag()
        if lag:
            self.set(verdict, lag)
        else:
            self._reactor.callLater(0, self._judge, verdict)

    def _tick(self) -> None:
        if (late := self._late()) >= TICK_SECONDS:
            self._lags.append((self._reactor.seconds(), late))
        self._ticked_at = self._reactor.seconds()
        self._now += TICK_SECONDS
        for waiting, count in list(self._reading.items()):
            # An earlier call in this loop may have given it a new deadline.
            if (
                waiting.deadline_queue is self._reading
                and has_received(waiting.transport, count)
                and not waiting.is_put_off
            ):
                self._pass(waiting)
        for seconds, queue in list(self._queues.items()):
            while queue:
                waiting, due = next(iter(queue.items()))
                if due > self._now:
                    break
                self.clear(waiting)
                self._judge(waiting)
            if not queue:
                del self._queues[seconds]

    def _judge(self, waiting: Waiting) -> None:
        count = received_and_unread(waiting.transport)
        if count is None and not waiting.is_put_off:
            self._pass(waiting)
        else:
            self._reading[waiting] = count or 0
            waiting.deadline_queue = self._reading

    def _pass(self, waiting: Waiting) -> None:
        self.clear(waiting)
        try:
            waiting.deadline_passed()
        except Exception:  # noqa: BLE001 - the others have deadlines too
            _log.failure("a deadline failed")

    def _recent_lag(self) -> float:
        """Return the recent lag of the loop in seconds, in whole ticks; ticks late by less than a tick don't count."""
        now, late = self._reactor.seconds(), self._late()
        while self._lags and self._lags[0][0] < now - RECENT_SECONDS:
            self._lags.popleft()
        seconds = sum(lag for _, lag in self._lags) + (late if late >= TICK_SECONDS else 0.0)
        return ceil(seconds / TICK_SECONDS) * TICK_SECONDS

    def _late(self) -> float:
        """Return by how many seconds the next tick is late."""
        return self._reactor.seconds() - self._ticked_at - TICK_SECONDS


class Reader(Protocol):
    """A connection about which a verdict is given."""

    transport: Any

    @property
    def is_put_off(self) -> bool:
        """Whether received bytes wait to be handled."""


class _Verdict:
    """A verdict that waits until its connection has handled what it received."""

    deadline_queue: dict[Waiting, Any] | None = None

    def __init__(self, reader: Reader, call: Callable[[], None]) -> None:
        self.deadline_passed = call
        self.transport = reader.transport
        self._reader = reader

    @property
    def is_put_off(self) -> bool:
        return self._reader.is_put_off


class Pinged(Protocol):
    """A connection that is pinged."""

    slot: int

    def keep_alive(self, payload: bytes, frames: bytes) -> None:
        """Send a WebSocket ping with ``payload`` and a JSON ping: ``frames`` is both."""


class KeepAlive(Periodic):
    """A timer wheel: connections are spread over slots, and each tick visits one slot.

    A turn of the wheel takes the ping interval. Turns are counted, not seconds, so that nobody is cut because the loop
    stood still. ``frames_of`` returns the bytes to send for a payload, the same for all connections of a slot.
    """

    def __init__(self, reactor: IReactorTime, interval: float, frames_of: Callable[[bytes], bytes]) -> None:
        super().__init__("keep-alive", interval / SLOTS, self._tick, reactor)
        self._frames_of = frames_of
        self._slots: list[dict[Pinged, None]] = [{} for _ in range(SLOTS)]
        self._current = 0

    def add(self, connection: Pinged) -> None:
        """Visit ``connection`` once per turn, the first time after a whole turn."""
        connection.slot = self._current
        self._slots[self._current][connection] = None

    def remove(self, connection: Pinged) -> None:
        """Stop visiting ``connection``."""
        self._slots[connection.slot].pop(connection, None)

    def _tick(self) -> None:
        self._current = (self._current + 1) % SLOTS
        # Random, so that only a peer that reads can answer it.
        payload = token_bytes(4)
        frames = self._frames_of(payload)
        run_all(partial(each.keep_alive, payload, frames) for each in list(self._slots[self._current]))
