"""Tells systemd how this server is: ready, reloading, stopping, and alive (sd_notify(3), ``Type=notify``).

Sockets that systemd holds need nothing of it: Twisted's endpoint ``systemd:domain=INET6:index=0`` takes them over.
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
"""Messages that wait for room in it."""

_log = Logger(namespace="ma_signaling")


class Notifier:
    """The way to systemd; without a ``path`` there is none, and what is told is lost.

    ``watchdog_seconds`` is after how long a silence systemd kills this process; 0: never.
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
        """As systemd describes it to this process; a watchdog may be meant for another one."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        is_watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        seconds = int(microseconds) / 1e6 if is_watched and microseconds.isdecimal() else 0.0
        return cls(reactor, environment.get("NOTIFY_SOCKET", ""), seconds)

    def tell(self, *assignments: str) -> None:
        """Send ``NAME=value`` assignments, never waiting: while the socket is full they are kept, and tried again.

        What can't be sent is lost; the log says so once.
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
        """Around what SIGHUP causes: ``systemctl reload`` waits for its end."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.tell("READY=1")


class Status(Service):
    """Tells systemd and the log that all has started, and systemd that it stops: started last, and stopped first."""

    def __init__(self, notifier: Notifier, reactor: IReactorTime) -> None:
        self._notifier = notifier
        self._reactor = reactor
        self._starting: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        # In the event loop's first turn: before it, SIGTERM would kill the process, whatever is to be saved.
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
    """Return what tells systemd that the event loop turns, twice as often as it asks; None where it doesn't ask."""
    seconds = notifier.watchdog_seconds / 2
    return Periodic("watchdog", seconds, lambda: notifier.tell("WATCHDOG=1"), reactor) if seconds else None
