"""The generator's own event loop: epoll and callbacks, nothing more, so that it costs less than the servers do."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

WITHIN = 60.0
"""Seconds in which anything must have happened."""

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

    def run(self, within: float = WITHIN) -> None:
        """Serve until ``stop`` is called, which must happen within so many seconds."""
        self._stopped = False
        self._serve(time.monotonic() + within)
        if not self._stopped:
            raise Unexpected(f"not done within {within:g} s")

    def pause(self, seconds: float) -> None:
        """Serve for so many seconds."""
        self._stopped = False
        self._serve(time.monotonic() + seconds)

    def spin(self, work: Callable[[], bool]) -> None:
        """Serve, never sleeping, and call ``work`` between, as long as it returns True."""
        while work():
            self._poll(0)

    def _serve(self, deadline: float) -> None:
        while not self._stopped and (left := deadline - time.monotonic()) > 0:
            self._poll(left)

    def _poll(self, timeout: float) -> None:
        callbacks = self._callbacks
        for descriptor, _ in self._epoll.poll(timeout):
            callback = callbacks.get(descriptor)
            if callback is not None:
                callback()
