"""A log file that rotates itself at a certain size, and that others may rotate by moving or truncating it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.python.logfile import LogFile

MAX_ROTATED = 10
"""How many rotated files are kept, of a megabyte each."""


class RotatedLogFile(LogFile):
    """Twisted's log file, but opened for appending, and reopened when its path leads to another file."""

    _file: Any
    path: str
    size: int

    def __init__(self, name: str, directory: str) -> None:
        super().__init__(name, directory, maxRotatedFiles=MAX_ROTATED)

    def _openFile(self) -> None:
        super()._openFile()
        # Twisted doesn't append: it would go on at its old offset, with a hole in a file that was truncated.
        self._file.close()
        self._file = Path(self.path).open("ab", 0)  # noqa: SIM115 - the base class closes it
        status = os.fstat(self._file.fileno())
        self._opened = status.st_dev, status.st_ino

    def write(self, data: str) -> None:
        """Write to the file that is now at the path."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - for each line
            is_current = (status.st_dev, status.st_ino) == self._opened
        except OSError:
            is_current = False
        if is_current:
            self.size = status.st_size
        else:
            self._reopen()
        super().write(data)

    def _reopen(self) -> None:
        old = self._file
        try:
            self._openFile()
        except OSError:
            # The directory may be gone, for example: better the old file than none.
            self._file = old
        else:
            old.close()
