"""What outlives a restart: seniority, without which every restart would be a squatter's chance."""

from __future__ import annotations

import os
import time
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ma_signaling.config.files import read_regular
from ma_signaling.core.hub import Hub
from ma_signaling.transport.timers import Periodic

SAVE_SECONDS = 600.0
"""How often it is saved while the server runs: what a crash may cost."""

_log = Logger(namespace="ma_signaling")


class StateFile(Periodic):
    """Loads what is remembered when the server starts, and saves it now and then and at the end."""

    def __init__(self, path: Path, hub: Hub, reactor: IReactorTime) -> None:
        super().__init__("state file", SAVE_SECONDS, self._save, reactor)
        self._path = path
        self._hub = hub

    def startService(self) -> None:
        super().startService()
        try:
            self._hub.restore(read_regular(self._path), time.time())
        except FileNotFoundError:
            _log.info("{path} is not there yet: nobody is remembered", path=self._path)
        except (OSError, ValueError) as problem:
            _log.warn(
                "{path} cannot be used, nobody is remembered: {problem}", path=self._path, problem=problem
            )

    def stopService(self) -> None:
        super().stopService()
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
