"""ACME's files in the state directory: the certificate with its key, the account, and when to ask again."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.files import read_regular, write_private

ROOM = 16 * 1024
"""More bytes than any certificate chain with its key."""

_log = Logger(namespace="ma_signaling")


class Store:
    """The files. They are read only at the start; content that can't be written is kept in memory until it can."""

    def __init__(self, directory: Path) -> None:
        self.pair = directory / "certificate.pem"
        self.account = directory / "account.json"
        self.record = directory / "record.json"
        self._room = directory / "room"
        self._unwritten: dict[Path, bytes] = {}
        self._told: set[Path] = set()
        """Files whose failed write was logged."""

    def read(self, path: Path) -> bytes | None:
        """Return the content of a file, None if it doesn't exist. Raises ``CannotStart`` if it can't be read."""
        try:
            return read_regular(path)
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise CannotStart(f"{path} can't be read: {problem.strerror}") from None

    def write(self, path: Path, content: bytes) -> bool:
        """Write a file, now or by a later ``retry``; return whether it was written now."""
        self._unwritten[path] = content
        return self._write(path)

    def retry(self) -> None:
        """Retry failed writes."""
        for path in list(self._unwritten):
            self._write(path)

    def is_written(self, path: Path) -> bool:
        """Return whether a file is up to date."""
        return path not in self._unwritten

    def reserve(self) -> bool:
        """Reserve disk space for a certificate; return False if there is none, or another file can't be written.

        A CA issues few certificates, and one that can't be written is lost at the next restart.
        """
        return not self._unwritten and self.write(self._room, os.urandom(ROOM))

    def release(self) -> None:
        """Release the reserved disk space, if any."""
        self._unwritten.pop(self._room, None)
        try:
            self._room.unlink(missing_ok=True)
        except OSError:
            # The file is replaced next time.
            return

    def _write(self, path: Path) -> bool:
        try:
            write_private(path, self._unwritten[path])
        except OSError as problem:
            if path not in self._told:
                self._told.add(path)
                _log.error(
                    "ACME: {path} can't be written: {problem}. Trying again every minute; no certificate is asked for"
                    " until that succeeds",
                    path=path,
                    problem=problem.strerror,
                )
            return False
        del self._unwritten[path]
        self._told.discard(path)
        return True
