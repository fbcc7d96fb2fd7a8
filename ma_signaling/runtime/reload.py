"""SIGHUP: the server reads settings and files again that an operator has changed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from twisted.application.service import Service
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import Logger

from ma_signaling.config.declaration import SettingError
from ma_signaling.config.settings import Settings
from ma_signaling.config.toml_file import as_toml
from ma_signaling.core.hub import Hub
from ma_signaling.runtime.systemd import Notifier
from ma_signaling.transport.factory import SignalingFactory

_log = Logger(namespace="ma_signaling")


class Reactor(IReactorCore, IReactorFromThreads):
    """The interfaces of the reactor that are used here."""


class Reload(Service):
    """Calls the added callbacks on SIGHUP, in order; a failure of one is logged and doesn't stop the others."""

    def __init__(self, reactor: Reactor, notifier: Notifier) -> None:
        self._reactor = reactor
        self._notifier = notifier
        self._callbacks: list[tuple[str, Callable[[], object]]] = []
        self._has_terminal = False

    def add(self, name: str, callback: Callable[[], object]) -> None:
        """Call ``callback`` at each reload; ``name`` is for the log."""
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
        # Python may call this between any two instructions.
        self._reactor.callFromThread(self._act)

    def _act(self) -> None:
        if not self.running:
            # The handler stays after the service has stopped, so that SIGHUP can't kill a server that is stopping.
            return
        if self._has_terminal and not _has_terminal():
            _log.info("The terminal was closed")
            with suppress(ReactorNotRunning):
                self._reactor.stop()
        else:
            self.reload()


class LiveSettings:
    """Lets new settings take effect in a running server, as far as they can, and logs what has changed.

    Code that reads ``settings`` whenever it needs a value needs nothing more; code that keeps a copy is told here.
    """

    def __init__(self, settings: Settings, hub: Hub, factory: SignalingFactory) -> None:
        self._settings = settings
        self._hub = hub
        self._factory = factory

    def reread(self, read: Callable[[], Settings]) -> None:
        """Adopt the settings that ``read`` returns; if it raises ``SettingError``, log that instead."""
        try:
            newer = read()
        except SettingError as problem:
            _log.error("Settings unchanged: {problem}", problem=problem)
        else:
            self.adopt(newer)

    def adopt(self, newer: Settings) -> None:
        """Take over ``newer``, except for settings that need a restart."""
        before = replace(self._settings)
        changed = self._settings.adopt(newer)
        self._pass_on()
        for setting in changed:
            _log.info(
                "{name} changed from {old} to {new}"
                if setting.live
                else "{name} stays {old}; {new} takes effect after a restart",
                name=setting.name,
                old=as_toml(getattr(before, setting.name)),
                new=as_toml(getattr(newer, setting.name)),
            )
        if not changed:
            _log.info("No setting has changed")

    def _pass_on(self) -> None:
        self._hub.reconfigure()
        self._factory.reconfigure()


def _has_terminal() -> bool:
    """Return whether standard input is a terminal: closing one sends SIGHUP too."""
    return os.isatty(0)
