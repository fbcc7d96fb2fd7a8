"""What an operator reads: a line for each event that matters, in words or in JSON, and no more of them than help."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.server_process import ServerProcess, run, twistd_path

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}"


class ProcessTest(SynchronousTestCase):
    """What the server itself writes."""

    def test_json(self) -> None:
        server = ServerProcess("--log-format", "json")
        with server:
            pass
        lines = [json.loads(line) for line in server.log().splitlines()]
        self.assertGreater(len(lines), 2)
        self.assertTrue(all({"time", "level", "message"} <= line.keys() for line in lines))

    def test_text(self) -> None:
        server = ServerProcess()
        with server:
            pass
        self.assertRegex(server.log(), rf"(?m)^{TIME} \[ma_signaling#info\] Listening on ")
        for line in server.log().splitlines():
            self.assertIn(
                " [ma_signaling#info] ", line, "nothing of Twisted's, such as 'SignalingFactory starting'"
            )

    def test_a_file_that_can_t_be_written(self) -> None:
        """One line says so, in the terminal that the daemon is about to leave."""
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        for path, why in (
            (directory / "nowhere" / "log", "No such file or directory"),
            (directory, "Is a directory"),
        ):
            twistd = (str(twistd_path()), f"--pidfile={directory / 'pid'}", f"--logfile={path}")
            done = run(*twistd, "ma-signaling", "--port", "tcp:0:interface=127.0.0.1")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertEqual(done.stderr, f"ma-signaling: --logfile {path}: {why}\n")
