"""A log file that is rotated: by itself at its size, or by others, who move or truncate it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.python.logfile import LogFile

MAX_ROTATED = 10
"""Files from before, of a megabyte each; older ones are removed."""


class RotatedLogFile(LogFile):
    """Twisted's log file, which appends, and opens its path anew when that is another file."""

    _file: Any
    path: str
    size: int

    def __init__(self, name: str, directory: str) -> None:
        super().__init__(name, directory, maxRotatedFiles=MAX_ROTATED)

    def _openFile(self) -> None:
        super()._openFile()
        # Twisted writes at the place where it has been, which leaves a hole in a file that was truncated.
        self._file.close()
        self._file = Path(self.path).open("ab", 0)  # noqa: SIM115 - the base class closes it
        status = os.fstat(self._file.fileno())
        self._opened = status.st_dev, status.st_ino

    def write(self, data: str) -> None:
        """Write to the file that is at the path now."""
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
            # Such as a directory that is gone: better the old file than none.
            self._file = old
        else:
            old.close()
