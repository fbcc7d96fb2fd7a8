"""Files of this server's own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import TestCase

from ma_signaling.config.files import read_regular, write_private


class WritePrivateTest(TestCase):
    """Replacing a file."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "state.json"
        self.elsewhere = Path(directory.name) / "elsewhere"
        self.elsewhere.mkdir()

    def test_new_and_replaced(self) -> None:
        for content in (b"one", b"two"):
            write_private(self.path, content)
            assert read_regular(self.path) == content
            assert self.path.stat().st_mode & 0o777 == 0o600
        assert sorted(each.name for each in self.path.parent.iterdir()) == ["elsewhere", "state.json"]

    def test_through_symbolic_links(self) -> None:
        """Also where nothing is at their end yet."""
        real, between = self.elsewhere / "real.json", self.elsewhere / "between.json"
        between.symlink_to("real.json")
        self.path.symlink_to("elsewhere/between.json")
        for content in (b"one", b"two"):
            write_private(self.path, content)
            assert self.path.is_symlink()
            assert between.is_symlink()
            assert real.read_bytes() == content
        assert sorted(each.name for each in self.elsewhere.iterdir()) == ["between.json", "real.json"]

    def test_link_to_itself(self) -> None:
        self.path.symlink_to(self.path.name)
        write_private(self.path, b"one")
        assert self.path.read_bytes() == b"one"
