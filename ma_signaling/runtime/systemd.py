"""Notifies systemd of this server's state: ready, reloading, stopping, and alive (sd_notify(3), ``Type=notify``).

Sockets of systemd don't need this: Twisted's endpoint ``systemd:domain=INET6:index=0`` adopts them.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ma_signaling import __version__
from ma_signaling.transport.timers import Periodic

RETRY_SECONDS = 0.5
"""How long to wait while systemd's socket is full."""

MAX_WAITING = 20
"""How many messages may wait for room in it."""

_log = Logger(namespace="ma_signaling")


class Notifier:
    """Sends messages to systemd; without a ``path`` they are dropped.

    ``watchdog_seconds`` is the silence after which systemd kills this process; 0: never.
    """

    def __init__(self, reactor: IReactorTime, path: str = "", watchdog_seconds: float = 0.0) -> None:
        self._reactor = reactor
        # An abstract socket's name begins with a zero byte, which an environment variable can't hold.
        self._address = path.replace("@", "\0", 1) if path.startswith("@") else path
        self.watchdog_seconds = watchdog_seconds if path else 0.0
        self._waiting: deque[str] = deque()
        self._has_warned = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], reactor: IReactorTime) -> Notifier:
        """Return a notifier as systemd's environment variables say; a watchdog may be meant for another process."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        is_watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        seconds = int(microseconds) / 1e6 if is_watched and microseconds.isdecimal() else 0.0
        return cls(reactor, environment.get("NOTIFY_SOCKET", ""), seconds)

    def tell(self, *assignments: str) -> None:
        """Send ``NAME=value`` assignments without blocking: while the socket is full they are kept and retried.

        If sending fails otherwise they are lost, which is logged once.
        """
        if not self._address:
            return
        is_first = not self._waiting
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append("\n".join(assignments))
        if is_first:
            self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                    sender.sendto(self._waiting[0].encode(), self._address)
            except BlockingIOError as problem:
                self._warn(problem)
                self._reactor.callLater(RETRY_SECONDS, self._send_waiting)
                return
            except OSError as problem:
                self._warn(problem)
            self._waiting.popleft()

    def _warn(self, problem: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            what = self._waiting[0].partition("\n")[0]
            _log.warn("systemd could not be notified of {what}: {problem}", what=what, problem=problem)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Enclose a reload: ``systemctl reload`` waits for its end."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.tell("READY=1")


class Status(Service):
    """Tells systemd and the log when everything has started, and systemd when stopping begins.

    Start it last, and stop it first.
    """

    def __init__(self, notifier: Notifier, reactor: IReactorTime) -> None:
        self._notifier = notifier
        self._reactor = reactor
        self._starting: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        # In the event loop's first turn: before that, SIGTERM would kill the process without a graceful stop.
        self._starting = self._reactor.callLater(0, self._started)

    def stopService(self) -> None:
        super().stopService()
        if self._starting is not None and self._starting.active():
            self._starting.cancel()
        self._notifier.tell("STOPPING=1")

    def _started(self) -> None:
        _log.info("ma-signaling {version} is up", version=__version__)
        self._notifier.tell("READY=1")


def make_watchdog(notifier: Notifier, reactor: IReactorTime) -> Periodic | None:
    """Return a job that feeds systemd's watchdog, twice as often as needed; None if there is no watchdog."""
    seconds = notifier.watchdog_seconds / 2
    return Periodic("watchdog", seconds, lambda: notifier.tell("WATCHDOG=1"), reactor) if seconds else None
