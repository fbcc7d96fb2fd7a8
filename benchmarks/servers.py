"""The measured servers: how each is started, and what its process has used so far."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from tests.support.free_ports import free_port

STARTS_WITHIN = 20.0
POLL = 0.002
"""Seconds between two checks whether a starting server answers yet."""

HERE = Path(__file__).parent
RELAY = HERE / "peers" / "relay.mjs"


class NotReady(Exception):
    """Raised if something that the benchmark needs is missing, or a server did not start; the text says what."""


@dataclass(frozen=True)
class Tls:
    """The PEM files of a key and its certificate."""

    key: Path
    certificate: Path


@dataclass(frozen=True)
class Kind:
    """One of the two compared kinds of servers: its name, and how it is started."""

    name: str
    is_node: bool = False
    options: tuple[str, ...] = ()
    tree: Path | None = None

    def command(self, port: int, tls: Tls | None, *, everywhere: bool) -> list[str]:
        """Return the command line of a server that listens on loopback or, as most people run it, ``everywhere``."""
        if self.is_node:
            command = [node_path(), str(RELAY), "--port", str(port)]
            command += [] if everywhere else ["--host", "127.0.0.1"]
            return command + (["--key", str(tls.key), "--cert", str(tls.certificate)] if tls else [])
        endpoint = str(port) if everywhere else f"tcp:{port}:interface=127.0.0.1"
        twistd = str(Path(sys.executable).parent / "twistd")
        command = [twistd, "-n", "--pidfile=", "ma-signaling"]
        command += ["--port", endpoint, *self.options]
        return command + (["--tls-cert", str(tls.certificate), "--tls-key", str(tls.key)] if tls else [])

    def environment(self) -> dict[str, str]:
        """Return a server's environment: that of this process, without settings, and with the right sources first."""
        # As installed: with compiled files beside the modules, and buffered output.
        unset = {"PORT", "ENVIRONMENT", "NODE_OPTIONS", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
        kept = {k: v for k, v in os.environ.items() if k not in unset and not k.startswith("MA_SIGNALING_")}
        tree = self.tree or HERE.parent
        return {**kept, "PYTHONPATH": str(tree), "NODE_ENV": "production"}

    def check(self) -> None:
        """Raise ``NotReady`` unless a server can be started, from the right sources."""
        if self.is_node:
            node_version()
            if not (RELAY.parent / "node_modules" / "ws").exists():
                raise NotReady(f"ws is missing: run `npm ci` in {RELAY.parent}, or `make bench`")
            return
        script = "import ma_signaling; print(ma_signaling.__file__)"
        with tempfile.TemporaryDirectory() as nowhere:
            found = subprocess.check_output(
                [sys.executable, "-c", script], cwd=nowhere, env=self.environment(), text=True
            )
        tree = (self.tree or HERE.parent).resolve()
        if Path(found.strip()).resolve().parent.parent != tree:
            raise NotReady(f"{tree} holds no ma_signaling: {found.strip()} would be measured")


def node_path() -> str:
    """Return the path of Node. Raises ``NotReady`` if it is missing."""
    path = shutil.which("node")
    if path is None:
        raise NotReady(
            "Node.js 18 or newer is needed for the peer (https://nodejs.org), and `node` is not there"
        )
    return path


def node_version() -> str:
    """Return Node's version. Raises ``NotReady`` if it is too old."""
    version = subprocess.check_output([node_path(), "--version"], text=True).strip()
    if int(version.lstrip("v").partition(".")[0]) < 18:
        raise NotReady(f"Node.js 18 or newer is needed for the peer, and `node` is {version}")
    return version


_servers_run_on: set[int] | None = None


def take_processor() -> None:
    """Give servers the first processor, and this process another one and all the descriptors that it may have."""
    global _servers_run_on  # noqa: PLW0603 -- once pinned, a process no longer sees which others there are
    first, *others = sorted(os.sched_getaffinity(0))
    _servers_run_on = {first}
    os.sched_setaffinity(0, {others[0] if others else first})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """A server process, on the servers' processor, with its output in a file."""

    def __init__(self, kind: Kind, tls: Tls | None = None, *, everywhere: bool = False) -> None:
        """Prepare a server of ``kind``; ``everywhere``: it listens on every address instead of loopback."""
        self.kind = kind
        self.tls = tls
        self.port = free_port()
        self.started_with = 0.0
        """The processor time until it answered /health, in seconds."""
        self._everywhere = everywhere
        self._directory = Path(tempfile.mkdtemp(prefix="ma-signaling-bench-"))
        self._log = self._directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its WebSockets."""
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}/ws"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server and return once it answers /health. Raises ``NotReady`` if it doesn't."""
        command = self.kind.command(self.port, self.tls, everywhere=self._everywhere)
        with self._log.open("ab") as log:
            # The child inherits the affinity, so that every thread has it from its first instruction on.
            own = os.sched_getaffinity(0)
            os.sched_setaffinity(0, _servers_run_on or own)
            try:
                self._process = subprocess.Popen(
                    command,
                    cwd=self._directory,
                    env=self.kind.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            finally:
                os.sched_setaffinity(0, own)
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = self.log()[-2000:]
                self.close()
                raise NotReady(f"{self.kind.name} did not start: {' '.join(command)}\n{log_text}")
            time.sleep(POLL)
        self.started_with = self.cpu()

    def cpu(self) -> float:
        """Return the processor time (user and system) of all its threads, even ended ones, in seconds."""
        # clock_getcpuclockid(3): nanoseconds, where /proc/PID/stat has ticks of 10 ms.
        return time.clock_gettime(~self.pid << 3 | 2)

    def busy(self) -> float:
        """Return ``busy`` of its process."""
        return busy(self.pid)

    def memory(self) -> int:
        """Return the resident memory of the process in bytes."""
        return resident(self.pid)

    def peak_memory(self) -> int:
        """Return the most resident memory that the process has had, in bytes."""
        return _status(self.pid, "VmHWM:")

    def kill(self) -> None:
        """Kill the server, as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def log(self) -> str:
        """Return its output."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Kill the server, if it runs, and remove its directory."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _answers(self) -> bool:
        connection = (
            HTTPSConnection("127.0.0.1", self.port, timeout=5, context=_blind_trust())
            if self.tls
            else HTTPConnection("127.0.0.1", self.port, timeout=5)
        )
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _blind_trust() -> ssl.SSLContext:
    """Return a client's TLS context that accepts any certificate, since ours is self-signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def busy(pid: int) -> float:
    """Return the seconds that a process's main thread has run, or was ready to run and waited for the processor."""
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
    return (int(ran) + int(waited)) / 1e9


def resident(pid: int) -> int:
    """Return the bytes of a process's resident set.

    The proportional set would be too small: where several servers of a kind run, it has only a part of what they share.
    """
    return _status(pid, "VmRSS:")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
