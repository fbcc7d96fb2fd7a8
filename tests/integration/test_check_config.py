"""Settings from a file, and what --check-config says of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO
from unittest import mock

from tests.support.certificates import Authority
from tests.support.command_line import accepted, refused
from tests.support.server_process import ServerProcess, child_environment
from tests.support.settings_file_case import FileTestCase

WITHIN = 20.0


class CheckConfigTest(FileTestCase):
    """--check-config as a command: no port is opened, and the status says whether a server would start."""

    def check(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ma_signaling", *options, "--check-config"],
            env={**child_environment(), **environment},
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )

    def assert_fails(self, hint: str, *options: str, **environment: str) -> None:
        done = self.check(*options, **environment)
        assert done.returncode == 1, done
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("ma-signaling: "), line
        assert hint in line, line

    def test_mistake(self) -> None:
        self.assert_fails("--grace: 'x' is not a number", "--grace", "x")

    def test_nobody_reads_it(self) -> None:
        """As with ``| head -1``."""
        for asked in ("--check-config", "--help", "--version"):
            reading, writing = os.pipe()
            os.close(reading)
            with os.fdopen(writing, "wb") as closed, Path("/dev/full").open("wb") as full:
                self._assert_quiet(asked, closed, "")
                self._assert_quiet(asked, full, "ma-signaling: standard output: No space left on device\n")

    def _assert_quiet(self, asked: str, output: IO[bytes], said: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "ma_signaling", asked],
            env=child_environment(),
            cwd=self.directory,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, said), done

    def test_proof(self) -> None:
        """Whether proofs can be had depends on the machine too."""
        for options, expected in (
            (("--proof", "off"), "# proof: unavailable: off"),
            (("--proof", "relay"), "# proof: unavailable: no relay by UDP is set (--turn-urls)"),
            (("--proof-networks", "127.0.0.0/8"), "# proof: available"),
            (("--proof-address", "198.51.100.7"), "# proof: available"),
            (("--stun-urls", "stun:stun.example.org"), "# proof: available"),
        ):
            assert accepted(*options).splitlines()[-1] == expected, options

    def test_places_that_are_taken(self) -> None:
        """What a server would not get when it starts; a directory that isn't there yet may be made until then."""
        self.write("")
        file = str(self.file)
        for options, problem in (
            (("--state-directory", file), f"--state-directory {file} is not a directory"),
            (("--state-directory", f"{file}/a/b"), f"--state-directory {file} is not a directory"),
            (("--admin-socket", file), f"cannot listen on {file}: something other than a socket is there"),
            (
                ("--port", f"unix:{self.directory}"),
                f"cannot listen on {self.directory}: something other than a socket is there",
            ),
            (("--metrics-port", f"unix:{file}/x"), f"cannot listen on {file}/x: {file} is not a directory"),
        ):
            assert refused(*options) == f"ma-signaling: {problem}", options
        acme = (
            "--acme-domain",
            "a.example.org",
            "--acme-agree-tos",
            "--state-directory",
            str(self.directory),
        )
        assert refused(*acme, "--acme-ca", str(self.directory)) == (
            f"ma-signaling: --acme-ca: {self.directory} cannot be read: Is a directory"
        )
        self.write("no certificate\n")
        assert refused(*acme, "--acme-ca", file) == f"ma-signaling: --acme-ca: {file} is not a certificate"
        later = self.directory / "later"
        accepted("--state-directory", str(later), "--admin-socket", str(later / "admin.sock"))
        assert not later.exists()

    def test_places_that_cannot_be_had(self) -> None:
        there = str(self.directory)
        long = f"{there}/{'x' * (108 - len(there) - 1)}"
        for options, problem in (
            (("--port", "tcp:99999"), "cannot listen on tcp:99999: a port is a number from 0 to 65535"),
            (("--port", "tcp:port=-1"), "cannot listen on tcp:port=-1: a port is a number from 0 to 65535"),
            (
                ("--port", "haproxy:tcp:70000"),
                "cannot listen on haproxy:tcp:70000: a port is a number from 0 to 65535",
            ),
            (
                ("--http-port", "tcp:1:interface=192.0.2.1"),
                "cannot listen on tcp:1:interface=192.0.2.1: Cannot assign requested address",
            ),
            (
                ("--port", r"tcp:1:interface=2001\:db8\:\:1"),
                r"cannot listen on tcp:1:interface=2001\:db8\:\:1: Cannot assign requested address",
            ),
            (
                ("--port", f"unix:{long}"),
                f"cannot listen on {long}: the path of a socket has at most 107 bytes",
            ),
            (
                ("--admin-socket", long),
                f"cannot listen on {long}: the path of a socket has at most 107 bytes",
            ),
            (
                ("--metrics-port", f"unix:{there}/a/b"),
                f"cannot listen on {there}/a/b: there is no directory {there}/a",
            ),
            (
                ("--admin-socket", f"{there}/a/b"),
                f"cannot listen on {there}/a/b: there is no directory {there}/a",
            ),
        ):
            assert refused(*options) == f"ma-signaling: {problem}", options
        assert refused("--port", "tcp:1:interface=999.1.1.1").startswith(
            "ma-signaling: cannot listen on tcp:1:interface=999.1.1.1: "
        )
        for path in ("/proc/self/x", "/sys/x"):
            assert refused("--state-directory", path).startswith(
                f"ma-signaling: --state-directory {path}: nothing can be created in {Path(path).parent}: "
            ), path
        accepted("--port", "tcp:1:interface=127.0.0.1", "--http-port", f"unix:{long[:107]}")
        with ServerProcess() as running:
            accepted("--port", f"tcp:{running.port}:interface=127.0.0.1")
        assert not list(self.directory.iterdir())

    def test_certificate(self) -> None:
        """A server would start with one that clients refuse: a renewal may come later."""
        certificate, key = self.directory / "cert.pem", self.directory / "key.pem"
        for begins, days, expected in (
            (-2, 90, "is valid until 20"),
            (-90, -1, "expired on 20"),
            (1, 90, "is not valid before 20"),
        ):
            Authority().issue(certificate, key, begins=begins, days=days)
            said = accepted("--tls-cert", str(certificate), "--tls-key", str(key))
            assert f"\n# certificate: {expected}" in said, said

    def test_web_app(self) -> None:
        """A server without it would start all the same."""

        def said() -> str:
            return accepted("--web-app", "on").splitlines()[-1]

        assert said() == "# web app: served"
        with mock.patch("music_assistant_frontend.where", return_value=self.directory):
            assert said() == "# web app: not served: its package has no index.html"
        with mock.patch.dict(sys.modules, {"music_assistant_frontend": None}):
            assert said().startswith("# web app: not served: it is not installed: pip install "), said()

    def test_cluster_without_its_extra(self) -> None:
        """For nats-py, and for msgspec."""
        for missing in ("nats", "msgspec"):
            (self.directory / f"{missing}.py").write_text("raise ImportError\n")
            elsewhere = {"PYTHONPATH": os.pathsep.join((str(self.directory), *sys.path))}
            self.assert_fails(
                "--nats-url needs the extra cluster: pip install 'ma-signaling[cluster]'",
                "--nats-url",
                "nats://127.0.0.1:1",
                **elsewhere,
            )
            (self.directory / f"{missing}.py").unlink()

    def test_good(self) -> None:
        certificate, key = self.directory / "cert.pem", self.directory / "key.pem"
        Authority().issue(certificate, key)
        self.write(
            f'port = "tcp:1:interface=127.0.0.1"\ntls_cert = "{certificate}"\ntls_key = "key.pem"\ngrace = 7\n'
        )
        for done in (
            self.check("--config", self.file.name, "--park", "8"),
            self.check("--park", "8", MA_SIGNALING_CONFIG=str(self.file)),
        ):
            assert done.returncode == 0, done.stderr
            assert f"\ngrace = 7  # {self.file}\n" in done.stdout, done.stdout
            assert "\npark = 8  # --park\n" in done.stdout, done.stdout
            assert done.stderr == ""
