"""Files that an operator may change while the server runs: access lists, and the secret that its relays share."""

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
    """One file. ``use`` puts its content in force and returns how many entries it has, or raises ValueError."""

    option: str
    path: Path
    use: Callable[[bytes], int]

    def load(self) -> None:
        """Put in force what the file says. Raises ``CannotStart``, and changes nothing, where it won't do."""
        try:
            count = self.use(read_regular(self.path))
        except UnicodeDecodeError:
            raise self._error("it is no UTF-8 text") from None
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
    """All files that ``settings`` name, in force in ``hub`` once they are loaded."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self._settings = settings
        self._hub = hub
        # Relative paths are relative to where the server was started; twistd may change the directory.
        self._directory = Path.cwd()

    def load(self) -> None:
        """Read all of them. Raises ``CannotStart`` for the first that won't do; it names the file and the line."""
        for file in self._files():
            file.load()

    def reload(self, reactor: IReactorTime) -> None:
        """Read all of them again, and close whoever is no longer allowed; a file that won't do changes nothing.

        A list whose file is no longer named is in force no longer.
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
        secret = content.strip()
        if not secret:
            raise ValueError("it is empty")
        self._hub.ice_servers.secret = secret
        return 1
