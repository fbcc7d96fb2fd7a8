"""What a person sees who starts the server in a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.support.free_ports import free_port
from tests.support.server_process import child_environment, end


class TerminalTest(SynchronousTestCase):
    """A real one, as far as the process can tell."""

    def test_the_last_line_says_where_to_look(self) -> None:
        port = free_port()
        own, given = pty.openpty()
        self.addCleanup(os.close, own)
        process = subprocess.Popen(
            [sys.executable, "-m", "ma_signaling", "--port", str(port)],
            env=child_environment(),
            stdin=given,
            stdout=given,
            stderr=given,
        )
        os.close(given)
        seen = ""
        try:
            while "homes and clients" not in seen:
                seen += os.read(own, 4096).decode()
        finally:
            end(process)
        last = seen.splitlines()[-1]
        assert f"Look at http://localhost:{port}/ in a browser" in last, seen
        assert f"ws://localhost:{port}/ws" in last, seen
