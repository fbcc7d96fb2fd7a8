"""A stand-in for systemd with a socket unit: it holds the port, and receives the service's notifications."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests import ROOT
from tests.support.server_process import STARTS_WITHIN, STOPS_WITHIN, child_environment

UNITS = ROOT / "contrib" / "systemd"

# LISTEN_PID must be that of the process itself, which only it knows (sd_listen_fds(3)).
ACTIVATE = "; ".join(
    [
        "import os, sys",
        "os.dup2(int(sys.argv[1]), 3)",
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='ma-signaling.socket')",
        "os.execv(sys.argv[2], sys.argv[2:])",
    ]
)


def unit_environment() -> dict[str, str]:
    """Return what the service's unit adds to its environment."""
    text = (UNITS / "ma-signaling.service").read_text(encoding="utf-8")
    return dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))


class Unit:
    """A service that is started, told to stop and started again, while its port stays open."""

    def __init__(self, environment: Mapping[str, str], listener: socket.socket) -> None:
        """Take what the unit adds to the environment, and a listening socket, which this object then owns."""
        self.listener = listener
        self.port: int = 0 if listener.family == socket.AF_UNIX else listener.getsockname()[1]
        self._directory = Path(tempfile.mkdtemp(prefix="ma-signaling-unit-"))
        self._environment = {
            name: value.replace("%S", str(self._directory)).replace("%t", str(self._directory))
            for name, value in environment.items()
        }
        (self._directory / "ma-signaling").mkdir()
        (self._directory / "ma-signaling" / "deny").touch()
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.settimeout(STARTS_WITHIN)
        self._notified.bind(str(self._directory / "notify"))
        self._log_path = self._directory / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Start the service, and return once it is ready."""
        command = (sys.executable, "-c", ACTIVATE, str(self.listener.fileno()))
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(Path(sys.executable).parent / "ma-signaling")],
                cwd=self._directory,
                env={
                    **child_environment(),
                    **self._environment,
                    "NOTIFY_SOCKET": str(self._directory / "notify"),
                    **environment,
                },
                pass_fds=[self.listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_for("READY=1")

    def hear(self) -> str:
        """Return the next notification of the service."""
        try:
            return self._notified.recv(4096).decode()
        except TimeoutError:
            raise AssertionError(f"it tells nothing more\n{self.log()}") from None

    def wait_for(self, message: str) -> None:
        """Receive notifications until this one comes."""
        while self.hear() != message:
            pass

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, as systemd does to stop or to reload the service."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> None:
        """Wait until the service has ended, with success."""
        assert self.process is not None
        assert self.process.wait(STOPS_WITHIN) == 0, self.log()

    def log(self) -> str:
        """Return its output so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Unit:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._notified.close()
        self.listener.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def everywhere() -> socket.socket:
    """Return a listening socket as ``ListenStream=`` with a number makes it: IPv6 and IPv4, here on a free port."""
    return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
