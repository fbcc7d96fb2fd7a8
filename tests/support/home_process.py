"""``ma-signaling home`` as a process of its own, on loopback alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.server_process import child_environment, end, eventually


class HomeProcess:
    """The agent between a signaling server and a Music Assistant; `stop()` and `start()` may alternate."""

    def __init__(self, signaling: str, music_assistant: str, *options: str, **environment: str) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.state = Path(self._directory.name) / "state"
        self._log = Path(self._directory.name) / "log"
        self._options = [
            *("--signaling", signaling, "--music-assistant", music_assistant),
            *("--state-directory", str(self.state), "--address", "127.0.0.1", "--stun", "none"),
            *options,
        ]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the agent started last."""
        assert self._process is not None
        return self._process.pid

    @property
    def remote_id(self) -> str:
        """The Remote ID that it printed."""
        return self._printed(r"^Remote ID: (\S+)$")

    @property
    def link(self) -> str:
        """The link that it printed."""
        return self._printed(r"^Link: (\S+)$")

    def start(self) -> None:
        """Start it, and return once it is registered."""
        before = self.log().count("Registered")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ma_signaling", "home", *self._options],
                env={**child_environment(), **self._environment},
                cwd=self._directory.name,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.until_registered(before)

    def until_registered(self, before: int = 0) -> None:
        """Wait until it has registered more than ``before`` times."""
        eventually(lambda: self.log().count("Registered") > before, self.log)

    def stop(self) -> None:
        """End it as a person would, and return when it has ended."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def log(self) -> str:
        """Return all that it wrote."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
            if kind is None:
                assert "Traceback" not in self.log(), self.log()
        finally:
            self._directory.cleanup()

    def _printed(self, pattern: str) -> str:
        found = re.search(pattern, self.log(), re.MULTILINE)
        assert found, self.log()
        return found[1]
