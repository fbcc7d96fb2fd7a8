"""Seniority over a restart."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.runtime.state_file import write_atomically
from tests.support.server_process import ServerProcess


class FileTest(SynchronousTestCase):
    """The file itself, with the real server."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name) / "state"

    def log_of_a_run(self) -> str:
        with ServerProcess("--state-file", str(self.path)) as server:
            server.stop()
            return server.log()

    def test_written_at_the_end_for_its_owner_only(self) -> None:
        assert "nobody is remembered" in self.log_of_a_run()
        assert list(self.path.parent.iterdir()) == [self.path]
        assert stat.S_IMODE(self.path.stat().st_mode) == 0o600
        assert "nobody is remembered" not in self.log_of_a_run()

    def test_broken_file(self) -> None:
        self.path.write_bytes(b"broken")
        log = self.log_of_a_run()
        assert "cannot be used, nobody is remembered" in log
        assert "nobody is remembered" not in self.log_of_a_run()

    def test_directory_that_is_not_there(self) -> None:
        self.path = self.path / "missing" / "state"
        log = self.log_of_a_run()
        assert "cannot be written" in log

    def test_left_over_from_a_crash(self) -> None:
        self.path.with_name("state.new").write_bytes(b"half")
        write_atomically(self.path, b"whole")
        assert self.path.read_bytes() == b"whole"
        assert list(self.path.parent.iterdir()) == [self.path]
