"""The files of ``--allow-remote-ids`` and ``--deny``: read at the start, and again whenever they are reloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.logger import Logger

from ma_signaling.config.settings import Settings
from ma_signaling.core.access import parse_allowed, parse_denied
from ma_signaling.core.hub import Hub

_log = Logger(namespace="ma_signaling")


class AccessListError(Exception):
    """A file that will not do; the text names the setting, the file and, where it is one, the line."""


class AccessLists:
    """Keeps what a hub allows as its files say."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self._hub = hub
        files: list[tuple[str, str, Callable[[str], int]]] = [
            ("--allow-remote-ids", settings.allow_remote_ids, self._allow),
            ("--deny", settings.deny, self._deny),
        ]
        # Absolute, since twistd may go to another directory after the start.
        self._files = [
            (f"{option} {path}", Path(path).absolute(), use) for option, path, use in files if path
        ]

    def load(self) -> None:
        """Read the files. Raises ``AccessListError``."""
        for file in self._files:
            self._read(*file)

    def reload(self) -> None:
        """Read the files again, and close whoever is no longer allowed; a file that will not do changes nothing."""
        if not self._files:
            return
        for file in self._files:
            try:
                self._read(*file)
            except AccessListError as problem:
                _log.error("{problem}; the previous list stays in force", problem=problem)
        _log.info("Connections closed by the access lists: {count}", count=self._hub.enforce_access())

    def _read(self, name: str, path: Path, use: Callable[[str], int]) -> None:
        try:
            count = use(path.read_text(encoding="utf-8-sig"))
        except OSError as problem:
            raise AccessListError(f"{name}: {problem.strerror}") from None
        except UnicodeDecodeError:
            raise AccessListError(f"{name}: it is no UTF-8 text") from None
        except ValueError as problem:
            raise AccessListError(f"{name}: {problem}") from None
        _log.info("{name}: entries in force: {count}", name=name, count=count)

    def _allow(self, text: str) -> int:
        self._hub.access.allowed = allowed = parse_allowed(text)
        return len(allowed)

    def _deny(self, text: str) -> int:
        self._hub.access.denied = denied = parse_denied(text)
        return denied.size
