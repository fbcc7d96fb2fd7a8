"""The generator's event loop: only epoll and callbacks, so that it costs less than the servers do."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

WITHIN = 60.0
"""After so many seconds without progress, a run fails."""

AT_A_TIME = 16
"""The most callbacks between two calls of ``spin``'s work."""

READABLE = select.EPOLLIN | select.EPOLLRDHUP
WRITABLE = select.EPOLLOUT


class Unexpected(Exception):
    """Raised when a server does something that the conversation doesn't expect: nothing was measured."""


class Loop:
    """Calls the callbacks of ready descriptors. A callback's exception ends the run and reaches the caller."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._stopped = False
        self._deadline = 0.0

    def watch(self, descriptor: int, callback: Callable[[], None], events: int = READABLE) -> None:
        """Call ``callback`` whenever ``descriptor`` is ready; it may be called once too often."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, callback: Callable[[], None], events: int = READABLE) -> None:
        """Replace the callback and the events of a descriptor."""
        self._callbacks[descriptor] = callback
        self._epoll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor; call this before it is closed."""
        del self._callbacks[descriptor]
        self._epoll.unregister(descriptor)

    def stop(self) -> None:
        """Let ``run`` return."""
        self._stopped = True

    def progress(self) -> None:
        """Note progress: ``run`` waits ``WITHIN`` seconds again for the next."""
        self._deadline = time.monotonic() + WITHIN

    def run(self) -> None:
        """Serve until ``stop`` is called. Raises ``Unexpected`` after ``WITHIN`` seconds without progress."""
        self.progress()
        self._serve()
        if not self._stopped:
            raise Unexpected(f"nothing was done for {WITHIN:g} s")

    def pause(self, seconds: float) -> None:
        """Serve for ``seconds``."""
        self._deadline = time.monotonic() + seconds
        self._serve()

    def spin(self, work: Callable[[], bool]) -> None:
        """Call ``work`` until it returns False, and serve between the calls, without ever sleeping."""
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
