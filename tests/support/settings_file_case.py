"""A directory for a file of settings."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase


class FileTestCase(SynchronousTestCase):
    """A file that a test writes, in a directory of its own."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.directory / "ma-signaling.toml"

    def write(self, content: str | bytes) -> None:
        """Write the file."""
        self.file.write_bytes(content if isinstance(content, bytes) else content.encode())
