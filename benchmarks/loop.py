"""The generator's own event loop: epoll and callbacks, nothing more, so that it costs less than the servers do."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

WITHIN = 60.0
"""Seconds after which nothing is expected any more."""

AT_A_TIME = 16
"""Callbacks between two looks at the schedule, where there is one."""

READABLE = select.EPOLLIN | select.EPOLLRDHUP
WRITABLE = select.EPOLLOUT


class Unexpected(Exception):
    """A server did something other than the conversation asks: nothing was measured."""


class Loop:
    """Calls whom something has come for. An exception of a callback ends the run and reaches the caller."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._stopped = False
        self._deadline = 0.0

    def watch(self, descriptor: int, callback: Callable[[], None], events: int = READABLE) -> None:
        """Call ``callback`` whenever ``descriptor`` is ready; a callback may be called once too often."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, callback: Callable[[], None], events: int = READABLE) -> None:
        """Call another one, for other events."""
        self._callbacks[descriptor] = callback
        self._epoll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Call nobody any more; to be called before the descriptor is closed."""
        del self._callbacks[descriptor]
        self._epoll.unregister(descriptor)

    def stop(self) -> None:
        """Let ``run`` return."""
        self._stopped = True

    def progress(self) -> None:
        """Something was done: wait for the next thing as long again."""
        self._deadline = time.monotonic() + WITHIN

    def run(self) -> None:
        """Serve until ``stop`` is called; raises ``Unexpected`` where nothing goes on for too long."""
        self.progress()
        self._serve()
        if not self._stopped:
            raise Unexpected(f"nothing was done for {WITHIN:g} s")

    def pause(self, seconds: float) -> None:
        """Serve for so many seconds."""
        self._deadline = time.monotonic() + seconds
        self._serve()

    def spin(self, work: Callable[[], bool]) -> None:
        """Serve, never sleeping, and call ``work`` between, as long as it returns True."""
        while work():
            self._poll(0, AT_A_TIME)

    def _serve(self) -> None:
        self._stopped = False
        while not self._stopped and (left := self._deadline - time.monotonic()) > 0:
            self._poll(left)

    def _poll(self, timeout: float, most: int = -1) -> None:
        callbacks = self._callbacks
        for descriptor, _ in self._epoll.poll(timeout, most):
            callback = callbacks.get(descriptor)
            if callback is not None:
                callback()
