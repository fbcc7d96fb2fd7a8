"""Files that an operator may change while the server runs: access lists, and the secret of the TURN servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.files import read_regular
from ma_signaling.config.settings import Settings
from ma_signaling.core.access import DenyList, parse_allowed, parse_denied
from ma_signaling.core.hub import Hub
from ma_signaling.transport.slices import in_slices

_log = Logger(namespace="ma_signaling")


class OperatorFile(NamedTuple):
    """One file. ``use`` applies its content and returns the number of entries, or raises ValueError."""

    option: str
    path: Path
    use: Callable[[bytes], int]

    def load(self) -> None:
        """Apply the file. Raises ``CannotStart``, and changes nothing, if it is unreadable or invalid."""
        try:
            count = self.use(read_regular(self.path))
        except UnicodeDecodeError:
            raise self._error("it is not UTF-8 text") from None
        except OSError as problem:
            raise self._error(problem.strerror) from None
        except ValueError as problem:
            raise self._error(problem) from None
        _log.info(
            "{option} {path}: entries in force: {count}", option=self.option, path=self.path, count=count
        )

    def _error(self, problem: object) -> CannotStart:
        return CannotStart(f"{self.option} {self.path}: {problem}")


class OperatorFiles:
    """All files that ``settings`` name; loading applies them to ``hub``."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self._settings = settings
        self._hub = hub
        # Relative paths refer to the directory at the start, which twistd may change.
        self._directory = Path.cwd()

    def load(self) -> None:
        """Apply all files. Raises ``CannotStart``, with file and line, for the first invalid one."""
        for file in self._files():
            file.load()

    def reload(self, reactor: IReactorTime) -> None:
        """Apply all files again, and close connections that are no longer allowed; an invalid file changes nothing.

        A list whose file is no longer named is dropped.
        """
        if not self._settings.allow_remote_ids:
            self._hub.access.allowed = None
        if not self._settings.deny:
            self._hub.access.denied = DenyList()
        files = self._files()
        for file in files:
            try:
                file.load()
            except CannotStart as refusal:
                _log.error("{problem}; the previous content stays in force", problem=refusal.problem)
        if files:
            in_slices(self._hub.enforce_access(), reactor).addCallbacks(
                lambda count: _log.info("Connections closed by the access lists: {count}", count=count),
                lambda failure: _log.failure("The access lists could not be enforced", failure),
            )

    def _files(self) -> list[OperatorFile]:
        named = (
            ("--allow-remote-ids", self._settings.allow_remote_ids, self._allow),
            ("--deny", self._settings.deny, self._deny),
            ("--turn-secret-file", self._settings.turn_secret_file, self._share_secret),
        )
        return [OperatorFile(option, self._directory / path, use) for option, path, use in named if path]

    def _allow(self, content: bytes) -> int:
        self._hub.access.allowed = allowed = parse_allowed(content.decode("utf-8-sig"))
        return len(allowed)

    def _deny(self, content: bytes) -> int:
        self._hub.access.denied = denied = parse_denied(content.decode("utf-8-sig"))
        return denied.size

    def _share_secret(self, content: bytes) -> int:
        # Text, so that neither a byte order mark nor another encoding gets into each credential.
        secret = content.decode("utf-8-sig").strip().encode()
        if not secret:
            raise ValueError("it is empty")
        self._hub.ice_servers.secret = secret
        return 1
