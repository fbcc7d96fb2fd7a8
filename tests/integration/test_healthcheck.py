"""`python -m ma_signaling.healthcheck`, as an image runs it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.certificates import make_certificate
from tests.support.free_ports import free_port
from tests.support.server_process import STARTS_WITHIN, ServerProcess, child_environment


class HealthCheckTest(SynchronousTestCase):
    """The command, and the real server."""

    def run_check(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ma_signaling.healthcheck"],
            env={**child_environment(), **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=STARTS_WITHIN,
        )

    def test_tls(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            key, certificate = Path(directory) / "key.pem", Path(directory) / "cert.pem"
            make_certificate(key, certificate)
            tls = {"MA_SIGNALING_TLS_CERT": str(certificate), "MA_SIGNALING_TLS_KEY": str(key)}
            port = free_port()
            where = ("--port", f"tcp:{port}:interface=127.0.0.1")
            options = ("--tls-cert", str(certificate), "--tls-key", str(key))
            with ServerProcess(*where, *options, plain="--http-port"):
                done = self.run_check(MA_SIGNALING_PORT=str(port), **tls)
                assert (done.returncode, done.stderr) == (0, "")
                # Speaking plain text to TLS is no good health.
                assert self.run_check(MA_SIGNALING_PORT=str(port)).returncode == 1

    def test_mistakes_are_said(self) -> None:
        for variables, said in (
            ({"PORT": "x"}, "PORT: 'x' is not a port number"),
            ({"MA_SIGNALING_PORT": "unix:/run/x"}, "--http-port"),
            ({"MA_SIGNALING_CONFIG": "/nowhere"}, "/nowhere"),
            ({"PORT": str(free_port())}, "refused"),
        ):
            done = self.run_check(**variables)
            assert done.returncode == 1
            assert said in done.stderr, done.stderr
            assert "Traceback" not in done.stderr
