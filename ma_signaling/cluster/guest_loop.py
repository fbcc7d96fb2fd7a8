"""An asyncio loop as a guest of Twisted's reactor: nats-py runs on the loop, everything else on the reactor.

Twisted could run on an asyncio loop instead, but then each event and each timer would take one more object and several
more calls. Only NATS needs asyncio, for one socket and a few timers.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

MAX_STEPS = 8
"""How many times per turn of the reactor the ready callbacks are run, if each time makes others ready."""

LATE = 0.001
"""Seconds by which a timer may be late. It must not be early, since no second turn would follow. The reactor's clock is
never faster than this loop's, but they are read one after the other."""

END_SECONDS = 2.0
"""How long the loop's tasks may take to end when the loop is closed."""

Arguments = TypeVarTuple("Arguments")

_log = Logger(namespace="ma_signaling")


class GuestLoop(asyncio.SelectorEventLoop):
    """Runs within the reactor, a step at a time: whenever one of its sockets, timers or callbacks is ready."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._has_more = False
        self._is_expected = False
        """Whether a turn is under way, or has been scheduled."""
        sockets: Any = selectors.DefaultSelector()
        super().__init__(sockets)
        # An epoll descriptor is itself readable while one of its sockets is ready.
        self._sockets = _Sockets(sockets.fileno(), self._turn)
        reactor.addReader(self._sockets)

    def call_soon(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        self._has_more = True
        if not self._is_expected:
            self._is_expected = True
            self._reactor.callLater(0, self._turn)
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        # If the timer is cancelled, a turn too many does no harm.
        self._reactor.callLater(max(0.0, when - self.time()) + LATE, self._turn)
        return super().call_at(when, callback, *args, context=context)

    def close(self) -> None:
        """Leave the reactor, and cancel the tasks that still run. Must not be called within a turn of the loop."""
        if self.is_closed():
            return
        self._reactor.removeReader(self._sockets)
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks, timeout=END_SECONDS))
        super().close()

    def _turn(self) -> None:
        if self.is_closed():
            return
        self._is_expected = True
        try:
            for _ in range(MAX_STEPS):
                self._has_more = False
                # A loop that is stopped before it runs makes one pass over the ready callbacks, and returns.
                self.stop()
                self.run_forever()
                if not self._has_more:
                    break
        except BaseException:  # noqa: BLE001 - asyncio passes on what would end its own program; this one goes on
            _log.failure("A turn of the asyncio loop failed")
            self._has_more = True
        self._is_expected = self._has_more
        if self._has_more:
            self._reactor.callLater(0, self._turn)


@implementer(IReadDescriptor)
class _Sockets:
    """All sockets of the loop, as one descriptor of the reactor."""

    def __init__(self, descriptor: int, turn: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self.doRead = turn

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "asyncio"

    def connectionLost(self, reason: object) -> None: ...
