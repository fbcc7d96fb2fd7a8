"""Access lists in files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase


class FilesTestCase(SynchronousTestCase):
    """Two files in a directory of their own."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.allow, self.deny = self.directory / "allow", self.directory / "deny"
