"""What an operator changes while the server runs, it reads again on SIGHUP."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from twisted.application.service import Service
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import Logger

from ma_signaling.runtime.systemd import Notifier

_log = Logger(namespace="ma_signaling")


class Reactor(IReactorCore, IReactorFromThreads):
    """What is needed of a reactor."""


class Reload(Service):
    """Runs, on SIGHUP, what others have added, in that order; a failure of one is logged and stops no other."""

    def __init__(self, reactor: Reactor, notifier: Notifier) -> None:
        self._reactor = reactor
        self._notifier = notifier
        self._callbacks: list[tuple[str, Callable[[], object]]] = []
        self._has_terminal = False

    def add(self, name: str, callback: Callable[[], object]) -> None:
        """Call ``callback`` whenever things are read again; ``name`` says in the log what it is about."""
        self._callbacks.append((name, callback))

    def startService(self) -> None:
        super().startService()
        self._has_terminal = _has_terminal()
        signal.signal(signal.SIGHUP, self._signalled)

    def reload(self) -> None:
        """Read everything again, now."""
        _log.info("Reloading: {names}", names=", ".join(name for name, _ in self._callbacks))
        with self._notifier.reloading():
            for name, callback in self._callbacks:
                try:
                    callback()
                except Exception:  # noqa: BLE001 - the others must have their turn
                    _log.failure("reload of {name} failed", name=name)

    def _signalled(self, *_: object) -> None:
        # Python calls this between any two instructions of whatever runs.
        self._reactor.callFromThread(self._act)

    def _act(self) -> None:
        if not self.running:
            # The handler outlives the service: the signal must not end a server that is saying goodbye.
            return
        if self._has_terminal and not _has_terminal():
            _log.info("The terminal was closed")
            with suppress(ReactorNotRunning):
                self._reactor.stop()
        else:
            self.reload()


def _has_terminal() -> bool:
    """Whether a person started this process in a terminal that is still there: its end sends SIGHUP too."""
    return os.isatty(0)
