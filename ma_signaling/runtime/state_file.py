"""What outlives a restart: seniority, without which every restart would be a squatter's chance."""

from __future__ import annotations

import os
import time
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ma_signaling.core.hub import Hub

SAVE_SECONDS = 600.0
"""How often it is saved while the server runs: what a crash may cost."""

_log = Logger(namespace="ma_signaling")


class StateFile(Service):
    """Loads what is remembered when the server starts, and saves it now and then and at the end."""

    def __init__(self, path: Path, hub: Hub, reactor: IReactorTime) -> None:
        self._path = path
        self._hub = hub
        self._loop = LoopingCall(self._save)
        self._loop.clock = reactor

    def startService(self) -> None:
        super().startService()
        try:
            self._hub.restore(self._path.read_bytes(), time.time())
        except FileNotFoundError:
            _log.info("{path} is not there yet: nobody is remembered", path=self._path)
        except (OSError, ValueError) as problem:
            _log.warn(
                "{path} cannot be used, nobody is remembered: {problem}", path=self._path, problem=problem
            )
        self._loop.start(SAVE_SECONDS, now=False)

    def stopService(self) -> None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        self._save()

    def _save(self) -> None:
        try:
            write_atomically(self._path, self._hub.snapshot(time.time()))
        except OSError as problem:
            _log.error("{path} cannot be written: {problem}", path=self._path, problem=problem)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file, readable by its owner only, such that a crash leaves the old one or the new one."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
