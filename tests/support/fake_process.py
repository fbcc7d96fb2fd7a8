"""A fake of the process that asks for proofs: it records the server's messages, and sends those of the test."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure


class FakeChild:
    """A fake child process."""

    def __init__(self, protocol: Any, arguments: list[str], environment: dict[str, str]) -> None:
        self.protocol = protocol
        self.arguments = arguments
        self.environment = environment
        self.heard: list[dict[str, Any]] = []
        self.is_closed = self.is_killed = self.has_ended = False

    def write(self, data: bytes) -> None:
        """Record what the server writes."""
        assert not self.is_closed
        self.heard += map(json.loads, data.splitlines())

    def closeStdin(self) -> None:
        """Note that nothing more will be written."""
        self.is_closed = True

    def signalProcess(self, signal: str) -> None:
        """Be killed."""
        assert signal == "KILL"
        if self.has_ended:
            raise ProcessExitedAlready
        self.is_killed = True

    def say(self, **message: object) -> None:
        """Send a message to the server."""
        self.protocol.outReceived(json.dumps(message).encode() + b"\n")

    def end(self, reason: Exception | None = None) -> None:
        """End the process."""
        self.has_ended = True
        self.protocol.processEnded(Failure(reason or ProcessTerminated(signal=9)))


class FakeReactor(Clock):
    """Starts fake processes."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[FakeChild] = []
        self.problem: OSError | None = None

    def spawnProcess(self, protocol: Any, executable: str, args: list[str], env: dict[str, str]) -> Any:
        """Start a fake process; raise the problem, if there is one."""
        if self.problem is not None:
            raise self.problem
        self.children.append(FakeChild(protocol, args, env))
        return self.children[-1]
