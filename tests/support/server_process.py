"""The real server as a process of its own, for tests that talk to it over the network."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.error import HTTPError

import aiohttp

from tests.support.free_ports import free_port

STARTS_WITHIN = 20.0
STOPS_WITHIN = 20.0
TALKS_WITHIN = 20.0


class _Refusals(urllib.request.HTTPDefaultErrorHandler):
    """Raises a closed `HTTPError`. Otherwise everybody who catches one must close it, or Python 3.14 warns."""

    def http_error_default(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> NoReturn:
        refusal = HTTPError(req.full_url, code, msg, headers, fp)
        refusal.close()
        raise refusal


# A proxy named in the environment must not come between a test and its own machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Refusals)


def twistd_path() -> Path:
    """Return the `twistd` that belongs to the running Python."""
    path = Path(sys.executable).parent / "twistd"
    if not path.exists():
        raise RuntimeError(f"no twistd beside {sys.executable}: install the project there first")
    return path


def child_environment() -> dict[str, str]:
    """Return an environment in which a child imports the same package as the tests."""
    spec = importlib.util.find_spec("ma_signaling")
    if spec is None or spec.origin is None:
        raise RuntimeError("ma_signaling can't be imported: install the project or run from its checkout")
    paths = [str(Path(spec.origin).parent.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}


class ServerProcess:
    """`twistd ma-signaling` on a free loopback port, with its output kept.

    `stop()` and `start()` may alternate: the port stays the same and the log goes on.
    """

    def __init__(
        self,
        *options: str,
        prefix: Sequence[str] = (),
        plain: str = "--port",
        twistd_options: Sequence[str] = (),
        may_fail: bool = False,
    ) -> None:
        """Take command line options for the plugin and for twistd, and a command that runs the server's command.

        `plain` is the option for the plain-text port: `--http-port` beside TLS. Unless it `may_fail`, a traceback in
        its log raises at the end of its `with` block.
        """
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}/ws"
        self.http = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._prefix = prefix
        self._twistd_options = twistd_options
        self._plain = plain
        self._may_fail = may_fail
        self._directory = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self._log_path = self._directory / "server.log"
        self._last_log = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process ID of the server started last."""
        return self._started().pid

    def start(self) -> None:
        """Start the server and return once it answers `/health`."""
        if self._process is not None and self._process.poll() is None:
            raise RuntimeError(f"the server runs already, pid {self._process.pid}")
        command = [
            *self._prefix,
            str(twistd_path()),
            "-n",
            "--pidfile=",
            *self._twistd_options,
            "ma-signaling",
        ]
        command += [self._plain, f"tcp:{self.port}:interface=127.0.0.1", *self._options]
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._directory,
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_healthy(self._process)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def stop(self, signal: signal.Signals = signal.SIGTERM) -> int:
        """Send `signal` unless the server has ended already, and return its exit status."""
        process = self._started()
        if process.poll() is None:
            process.send_signal(signal)
        return self.wait(f"{STOPS_WITHIN:g} s after {signal.name}")

    def is_running(self) -> bool:
        """Return whether the server is running."""
        return self._started().poll() is None

    def wait(self, when: str = "when it should have ended") -> int:
        """Wait until the server has ended, and return its exit status; `when` says in an error what was waited for."""
        process = self._started()
        try:
            return process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"still running {when}\n{self.log()}") from None

    def log(self) -> str:
        """Return the output of the server so far, stdout and stderr together."""
        if self._log_path.exists():
            self._last_log = self._log_path.read_text(encoding="utf-8", errors="replace")
        return self._last_log

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON object that a GET of `path` answers; raise `OSError` for anything but a 2xx."""
        with OPENER.open(self.http + path, timeout=5) as response:
            answer: dict[str, Any] = json.load(response)
            return answer

    def close(self) -> None:
        """Stop the server if it runs, and remove its directory; the log stays readable."""
        try:
            if self._process is not None:
                self.stop()
        finally:
            self.log()
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> ServerProcess:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: object = None, *error: object) -> None:
        self.close()
        if kind is None and not self._may_fail:
            assert "Traceback" not in self.log(), self.log()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server was never started")
        return self._process

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            if (status := process.poll()) is not None:
                raise RuntimeError(f"the server ended with {status} before it listened\n{self.log()}")
            try:
                self.get("/health")
                return
            except (OSError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"no answer from /health within {STARTS_WITHIN:g} s: {error}\n{self.log()}"
                    ) from error
            time.sleep(0.05)


def end(process: subprocess.Popen[Any], by: signal.Signals = signal.SIGTERM) -> None:
    """End a process that the caller started; one that doesn't end is killed, which is an error."""
    process.send_signal(by)
    try:
        process.wait(STOPS_WITHIN)
    finally:
        process.kill()
        process.wait()


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself."""
    return subprocess.run(
        command,
        env={**child_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=TALKS_WITHIN,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=tempfile.gettempdir(),
    )


def script(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``ma-signaling`` by its module."""
    return run(sys.executable, "-m", "ma_signaling", *arguments, **environment)


def eventually(happened: Callable[[], object], told: Callable[[], str]) -> None:
    """Wait until something has happened; ``told`` returns what an error says about the state instead."""
    deadline = time.monotonic() + TALKS_WITHIN
    while not happened():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def talk(conversation: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    """Play a conversation to its end, within a time limit."""

    async def bounded() -> None:
        async with asyncio.timeout(TALKS_WITHIN), aiohttp.ClientSession() as session:
            await conversation(session)

    asyncio.run(bounded())


async def registered(session: aiohttp.ClientSession, url: str, remote_id: str = "HOME") -> Any:
    """Return a WebSocket that has registered."""
    home = await session.ws_connect(url)
    await home.send_json({"type": "register-server", "remoteId": remote_id})
    assert await home.receive_json() == {"type": "registered", "remoteId": remote_id}
    return home
