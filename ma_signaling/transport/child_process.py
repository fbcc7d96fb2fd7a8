"""Child processes, as the server sees them: modules that it speaks with by pipes, a line of JSON for each message."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import orjson
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol

KEPT_ERRORS = 2048
"""Bytes of what a process has last said on standard error."""


class Reactor(IReactorTime, IReactorProcess):
    """What is needed of a reactor."""


class ChildProcess(ProcessProtocol):
    """One process, from its start to its end; classes made of this one ``take`` what it says."""

    _child: Any = None

    def __init__(self, reactor: Reactor, module: str, passed_on: Collection[str] = ()) -> None:
        """Start ``module``, with the environment variables that are ``passed_on``. Raises OSError where that can't be.

        It gets no other variable of the server's, for one may be a secret.
        """
        self.is_in_use = True
        """Whether it is told anything, and believed: not once it was told to end, was killed, or has ended."""
        self._reactor = reactor
        self._line = b""
        self._errors = b""
        # The modules are found where the server finds them.
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment |= {name: os.environ[name] for name in passed_on if name in os.environ}
        arguments = [sys.executable, "-P", "-m", module]
        self._child = reactor.spawnProcess(self, sys.executable, arguments, environment)

    def take(self, message: Any) -> None:
        """Take one message of the process. Raises LookupError or ValueError where it makes no sense."""
        raise NotImplementedError

    def break_off(self, why: str) -> None:
        """Kill the process, which breaks the rules; ``why`` says how."""
        self.kill()

    def say(self, **message: object) -> None:
        """Tell the process something; do nothing once it isn't in use."""
        if self.is_in_use:
            self._child.write(orjson.dumps(message) + b"\n")

    def kill(self) -> None:
        """End the process at once, if it has begun."""
        self.is_in_use = False
        if self._child is not None:
            with suppress(ProcessExitedAlready):
                self._child.signalProcess("KILL")

    def last_error(self) -> str:
        """Return the last line that it has complained in, which is where Python names an exception; "": it has not."""
        lines = self._errors.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    # From Twisted

    def outReceived(self, data: bytes) -> None:
        """Take what the process says."""
        if not self.is_in_use:
            return
        *lines, self._line = (self._line + data).split(b"\n")
        try:
            for line in lines:
                self.take(orjson.loads(line))
        except (LookupError, ValueError):
            self.break_off("it writes nonsense")

    def errReceived(self, data: bytes) -> None:
        """Keep the end of what it writes to standard error."""
        self._errors = (self._errors + data)[-KEPT_ERRORS:]
