"""The server's side of child processes: modules that it talks to over pipes, with one line of JSON per message."""

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
"""How many bytes of the end of standard error are kept."""


class Reactor(IReactorTime, IReactorProcess):
    """The interfaces of the reactor that are used here."""


class ChildProcess(ProcessProtocol):
    """One process, from its start to its end. Subclasses implement ``take`` for its messages."""

    _child: Any = None

    def __init__(self, reactor: Reactor, module: str, passed_on: Collection[str] = ()) -> None:
        """Start ``module`` with the environment variables ``passed_on``. Raises OSError if that fails.

        It gets no other variables of the server, since one may be a secret.
        """
        self.is_in_use = True
        """Whether messages are sent to it and taken from it: until it is told to end, is killed, or has ended."""
        self._reactor = reactor
        self._line = b""
        self._errors = b""
        # So that it finds modules where the server does.
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment |= {name: os.environ[name] for name in passed_on if name in os.environ}
        arguments = [sys.executable, "-P", "-m", module]
        self._child = reactor.spawnProcess(self, sys.executable, arguments, environment)

    def take(self, message: Any) -> None:
        """Handle one message of the process. Raises LookupError or ValueError if it is invalid."""
        raise NotImplementedError

    def break_off(self, why: str) -> None:
        """Kill the process, which has broken the protocol; ``why`` says how."""
        self.kill()

    def say(self, **message: object) -> None:
        """Send the process a message; does nothing once it isn't in use."""
        if self.is_in_use:
            self._child.write(orjson.dumps(message) + b"\n")

    def kill(self) -> None:
        """Kill the process immediately, if it was started."""
        self.is_in_use = False
        if self._child is not None:
            with suppress(ProcessExitedAlready):
                self._child.signalProcess("KILL")

    def last_error(self) -> str:
        """Return the last line of standard error, in which Python names an exception; "" if there is none."""
        lines = self._errors.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    # From Twisted

    def outReceived(self, data: bytes) -> None:
        """Handle the messages that are complete."""
        if not self.is_in_use:
            return
        *lines, self._line = (self._line + data).split(b"\n")
        try:
            for line in lines:
                self.take(orjson.loads(line))
        except (LookupError, ValueError):
            self.break_off("it writes nonsense")

    def errReceived(self, data: bytes) -> None:
        """Keep the end of standard error."""
        self._errors = (self._errors + data)[-KEPT_ERRORS:]
