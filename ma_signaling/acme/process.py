"""The server's side of the child process that talks to a CA."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ma_signaling.transport.child_process import ChildProcess, Reactor

MODULE = "ma_signaling.acme.child"

MAX_SECONDS = 600.0
"""Time after which the process is killed."""

PASSED_ON = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Environment variables about how to reach a CA."""


class Listener(Protocol):
    """Is told about progress and result."""

    def account_made(self, account: dict[str, Any]) -> None:
        """Keep a new account at the CA."""

    def challenged(self, kind: str, name: str, token: str, authorization: str) -> None:
        """Be ready for the CA's challenge once this returns. Raises ValueError for an unknown kind."""

    def ended(self, result: dict[str, Any]) -> None:
        """Handle the result, which has ``issued``, ``askAt`` or ``failed``."""


class Conversation(ChildProcess):
    """One conversation with a CA, from the start of the process to its end; ``stop`` ends it without a result.

    Making one raises OSError if no process can be started.
    """

    def __init__(self, reactor: Reactor, listener: Listener, wish: dict[str, Any]) -> None:
        self._listener: Listener | None = listener
        """None once nobody waits for the result."""
        self._result: dict[str, Any] | None = None
        super().__init__(reactor, MODULE, PASSED_ON)
        self._deadline: IDelayedCall = reactor.callLater(MAX_SECONDS, self.kill)
        self.say(**wish)

    def stop(self) -> None:
        """Kill the process, without telling the listener."""
        self._listener = None
        self.kill()

    def processEnded(self, reason: Failure) -> None:
        if self._deadline.active():
            self._deadline.cancel()
        if self._listener is not None:
            why = self.last_error() or reason.getErrorMessage()
            failure = {"failed": f"the process that talks with the CA has failed: {why}", "retryAfter": None}
            self._listener.ended(self._result or failure)

    def take(self, message: Any) -> None:
        assert self._listener is not None
        match message:
            case {"account": dict(account)}:
                self._listener.account_made(account)
            case {"challenge": [str(kind), str(name), str(token), str(authorization)]}:
                self._listener.challenged(kind, name, token, authorization)
                self.say()
            case {"issued": str()} | {"askAt": float()} | {"failed": str()}:
                self._result = message
            case _:
                raise ValueError("no such message")
