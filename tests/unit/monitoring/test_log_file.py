"""A log file, and what others do to it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.monitoring.log_file import MAX_ROTATED, RotatedLogFile


class LogFileTest(SynchronousTestCase):
    """No line is lost, and none goes where nobody looks."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name) / "log"
        self.file: Any = RotatedLogFile.fromFullPath(str(self.path))
        self.addCleanup(self.file.close)
        self.file.write("one\n")

    def test_appends(self) -> None:
        again: Any = RotatedLogFile.fromFullPath(str(self.path))
        self.addCleanup(again.close)
        again.write("two\n")
        self.file.write("three\n")
        assert self.path.read_text(encoding="utf-8") == "one\ntwo\nthree\n"

    def test_moved(self) -> None:
        """As logrotate does."""
        moved = self.path.rename(self.path.with_name("log-20261128"))
        self.file.write("two\n")
        assert moved.read_text(encoding="utf-8") == "one\n"
        assert self.path.read_text(encoding="utf-8") == "two\n"

    def test_copied_and_truncated(self) -> None:
        """As logrotate does with copytruncate: no hole is left."""
        self.file.write("x" * 999_000)
        with self.path.open("r+b") as file:
            file.truncate(0)
        for _ in range(2):
            self.file.write("y" * 999 + "\n")
        assert self.path.read_bytes() == (b"y" * 999 + b"\n") * 2
        assert not self.path.with_name("log.1").exists(), "it is far from full"

    def test_its_directory_is_gone(self) -> None:
        self.path.parent.rename(self.path.parent.with_name("gone"))
        self.addCleanup(self.path.parent.with_name("gone").rename, self.path.parent)
        self.file.write("two\n")
        assert (self.path.parent.with_name("gone") / "log").read_text(encoding="utf-8") == "one\ntwo\n"

    def test_rotates_by_itself(self) -> None:
        for _ in range(MAX_ROTATED + 5):
            self.file.write("x" * 1_000_001)
        assert len(list(self.path.parent.iterdir())) == MAX_ROTATED + 1
