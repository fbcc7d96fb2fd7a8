"""A home's connection to another node, as the holder of a Remote ID in this node's registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ma_signaling.core.connection import Connection
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.token_bucket import Allowance, Budget

_NO_BUDGET = Budget(Allowance(0, 0), 0.0)
"""The home's own node charges what the home sends."""


class Messages(Protocol):
    """Sends messages to homes on other nodes."""

    def to_home(self, home: RemoteHome, session_id: str, kind: str, payload: bytes) -> None:
        """Send a message of type ``kind`` in a session to a home."""

    def all_to_home(self, home: RemoteHome, session_id: str, candidates: list[bytes]) -> None:
        """Send ICE candidates of a session to a home."""

    def attach(self, home: RemoteHome, *, always: bool = False) -> None:
        """List all sessions here to the home's node, if there are any; with ``always``, even if there are none.

        That node answers if the home isn't connected to it.
        """


class RemoteHome(Connection):
    """A home's connection to ``node``, where it is called ``name``. It is its own ``Peer``."""

    __slots__ = ("_messages", "heard_at", "home_id", "name", "node")

    is_remote = True
    congested = False
    keeps_up = True
    """Whether it does is known only to its own node."""

    def __init__(
        self,
        remote_id: str,
        node: str,
        name: str,
        address: ClientAddress,
        messages: Messages,
    ) -> None:
        super().__init__(f"{name}@{node}", self, address, _NO_BUDGET)
        self.home_id = remote_id
        """The Remote ID that it holds."""
        self.node = node
        self.name = name
        self.heard_at = 0.0
        """When its node last said that it holds its Remote ID, in seconds of the clock."""
        self._messages = messages

    def is_of(self, node: str, name: str) -> bool:
        """Return whether this is the connection ``name`` of ``node``."""
        return (self.node, self.name) == (node, name)

    def forward(self, session_id: str, kind: str, payload: bytes) -> None:
        self._messages.to_home(self, session_id, kind, payload)

    def forward_all(self, session_id: str, candidates: list[bytes]) -> None:
        self._messages.all_to_home(self, session_id, candidates)

    # As a peer

    def send(self, message: bytes) -> None:
        """Do nothing: its own node answers its requests."""

    def send_all(self, messages: list[bytes]) -> None:
        raise AssertionError("what is for a home on another node goes by forward_all")

    def ping(self, payload: bytes) -> None:
        """Do nothing: its own node pings it."""

    def pause_reading(self, seconds: float) -> None:
        """Do nothing: its own node charges it."""

    def after_reading(self, call: Callable[[], None]) -> None:
        raise AssertionError("whether a connection lives is judged by its own node")

    def close(self, code: int, reason: str) -> None:
        """Do nothing: its own node closes it."""

    def drop(self) -> None:
        """Do nothing: its own node drops it."""
