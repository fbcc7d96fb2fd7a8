"""The child process that talks with a CA, as the server sees it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, Protocol

import orjson
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

MODULE = "ma_signaling.acme.child"

MAX_SECONDS = 600.0
"""After which a talk with a CA must have ended."""

KEPT_ERRORS = 2048
"""Bytes of what the process has last said on standard error."""

PASSED_ON = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that say how to reach a CA; no other, for one may be a secret."""


class Reactor(IReactorTime, IReactorProcess):
    """What is needed of a reactor."""


class Listener(Protocol):
    """Who hears what comes of it."""

    def account_made(self, account: dict[str, Any]) -> None:
        """The CA has this account now."""

    def challenged(self, kind: str, name: str, token: str, authorization: str) -> None:
        """The CA will look here for this; it waits until this returns. Raises ValueError for a strange one."""

    def ended(self, result: dict[str, Any]) -> None:
        """It is over: ``issued``, ``askAt`` or ``failed``."""


class Talking(ProcessProtocol):
    """One talk, from the start of the process to its end; ``stop`` ends it without a result.

    Raises OSError where no process can be started.
    """

    def __init__(self, reactor: Reactor, listener: Listener, wish: dict[str, Any]) -> None:
        self._listener = listener
        self._buffer = b""
        self._errors = b""
        self._result: dict[str, Any] | None = None
        self._is_stopped = False
        self._is_killed = False
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        arguments = [sys.executable, "-P", "-m", MODULE]
        self._child: Any = reactor.spawnProcess(self, sys.executable, arguments, environment)
        self._deadline: IDelayedCall = reactor.callLater(MAX_SECONDS, self._kill)
        self._say(wish)

    def stop(self) -> None:
        """End it; nobody is told."""
        self._is_stopped = True
        self._kill()

    def outReceived(self, data: bytes) -> None:
        if self._is_killed:
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        try:
            for line in lines:
                self._take(orjson.loads(line))
        except ValueError:
            self._kill()

    def errReceived(self, data: bytes) -> None:
        self._errors = (self._errors + data)[-KEPT_ERRORS:]

    def processEnded(self, reason: Failure) -> None:
        if self._deadline.active():
            self._deadline.cancel()
        if self._is_stopped:
            return
        lines = self._errors.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), reason.getErrorMessage())
        failure = {"failed": f"the process that talks with the CA has failed: {last}", "retryAfter": None}
        self._listener.ended(self._result or failure)

    def _take(self, message: Any) -> None:
        match message:
            case {"account": dict(account)}:
                self._listener.account_made(account)
            case {"challenge": [str(kind), str(name), str(token), str(authorization)]}:
                self._listener.challenged(kind, name, token, authorization)
                self._say({})
            case {"issued": str()} | {"askAt": float()} | {"failed": str()}:
                self._result = message
            case _:
                raise ValueError("no such message")

    def _say(self, message: dict[str, Any]) -> None:
        self._child.write(orjson.dumps(message) + b"\n")

    def _kill(self) -> None:
        self._is_killed = True
        with suppress(ProcessExitedAlready):
            self._child.signalProcess("KILL")
