"""Tells systemd how this server is: ready, reloading, stopping, and alive (sd_notify(3), ``Type=notify``).

Sockets that systemd holds need nothing of it: Twisted's endpoint ``systemd:domain=INET6:index=0`` takes them over.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

SEND_SECONDS = 1.0
"""How long a message may wait for room in systemd's socket."""

_log = Logger(namespace="ma_signaling")


class Notifier:
    """The way to systemd; without a ``path`` there is none, and what is told is lost.

    ``watchdog_seconds`` is after how long a silence systemd kills this process; 0: never.
    """

    def __init__(self, path: str = "", watchdog_seconds: float = 0.0) -> None:
        # An abstract socket's name begins with a zero byte, which an environment variable can't hold.
        self._address = path.replace("@", "\0", 1) if path.startswith("@") else path
        self.watchdog_seconds = watchdog_seconds if path else 0.0
        self._has_warned = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Notifier:
        """As systemd describes it to this process; a watchdog may be meant for another one."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        is_watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        seconds = int(microseconds) / 1e6 if is_watched and microseconds.isdecimal() else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), seconds)

    def tell(self, *assignments: str) -> None:
        """Send ``NAME=value`` assignments. What can't be sent is lost; the log says so once."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_SECONDS)
                sender.sendto("\n".join(assignments).encode(), self._address)
        except OSError as problem:
            if not self._has_warned:
                self._has_warned = True
                _log.warn(
                    "systemd could not be notified of {what}: {problem}", what=assignments[0], problem=problem
                )

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Around what SIGHUP causes: ``systemctl reload`` waits for its end."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.tell("READY=1")


class Status(Service):
    """Tells that all has started, and that it begins to stop: to be started last, and stopped first."""

    def __init__(self, notifier: Notifier, reactor: IReactorTime) -> None:
        self._notifier = notifier
        self._reactor = reactor
        self._starting: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        # In the event loop's first turn: before it, SIGTERM would kill the process, whatever is to be saved.
        self._starting = self._reactor.callLater(0, self._notifier.tell, "READY=1")

    def stopService(self) -> None:
        super().stopService()
        if self._starting is not None and self._starting.active():
            self._starting.cancel()
        self._notifier.tell("STOPPING=1")


class Watchdog(Service):
    """Tells that the event loop turns, twice as often as systemd asks: to be stopped last, for stopping takes long."""

    def __init__(self, notifier: Notifier, reactor: IReactorTime) -> None:
        self._seconds = notifier.watchdog_seconds / 2
        self._feeding = LoopingCall(notifier.tell, "WATCHDOG=1")
        self._feeding.clock = reactor

    def startService(self) -> None:
        super().startService()
        if self._seconds:
            self._feeding.start(self._seconds, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._feeding.running:
            self._feeding.stop()
