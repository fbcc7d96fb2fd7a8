"""RFC 6455 as the Autobahn Testsuite reads it: all of its cases but those on compression, which isn't offered."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.free_ports import free_port
from tests.support.server_process import STARTS_WITHIN, child_environment

CASES = 301
"""What the suite has outside 12.* and 13.*: a run that plays fewer has tested nothing."""

PLAYS_WITHIN = 250.0
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}


class ConformanceTest(SynchronousTestCase):
    """This server's frames, UTF-8, fragments, pings and closing handshakes, over TCP."""

    def _play(self) -> tuple[dict[str, Any], dict[str, Any], int, str]:
        """Play all cases once: all, those that do not pass, and the player's exit status and output."""
        with TemporaryDirectory() as directory, _echo_server(Path(directory)) as port:
            played = subprocess.run(
                [
                    str(Path(sys.executable).parent / "kosoku"),
                    *("-x", "12.*", "-x", "13.*", "-o", directory),
                    f"ws://127.0.0.1:{port}/ws",
                ],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=PLAYS_WITHIN,
                check=False,
            )
            output = played.stdout + played.stderr
            assert not (errors := Path(directory, "server.log").read_text()), errors
            report = Path(directory, "index.json")
            assert report.exists(), output
            (cases,) = json.loads(report.read_bytes()).values()
        failed = {
            name: case
            for name, case in cases.items()
            if case["behavior"] not in PASSED or case["behaviorClose"] not in PASSED
        }
        return cases, failed, played.returncode, output

    def test_every_case_passes(self) -> None:
        cases, failed, status, output = self._play()
        if failed and all(case["behaviorClose"] == "FAILED BY CLIENT" for case in failed.values()):
            # The player itself was too late to close, as on a busy machine: that says nothing about the server.
            cases, failed, status, output = self._play()
        assert not failed, failed
        assert len(cases) >= CASES, f"{len(cases)} cases\n{output}"
        assert status == 0, output


@contextmanager
def _echo_server(directory: Path) -> Iterator[int]:
    """The port of an echo server that runs meanwhile."""
    port = free_port()
    with Path(directory, "server.log").open("w+") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.echo_server", str(port)],
            cwd=ROOT,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        with server:
            try:
                assert server.stdout is not None
                ready, _, _ = select.select([server.stdout], [], [], STARTS_WITHIN)
                said = server.stdout.readline() if ready else b""
                log.seek(0)
                assert said.startswith(b"listening"), log.read()
                yield port
            finally:
                server.kill()
