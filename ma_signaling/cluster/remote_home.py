"""A home's connection to another node, as this node knows it.

First it is a newcomer, whose node has claimed a Remote ID here; then, when it has got the Remote ID, its holder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ma_signaling.core.connection import Connection
from ma_signaling.core.errors import CloseCode
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.token_bucket import Allowance, Budget

_NO_BUDGET = Budget(Allowance(0, 0), 0.0)
"""Its own node charges what it sends."""


class Verdicts(Protocol):
    """What becomes of a newcomer."""

    def refused(self, newcomer: RemoteHome) -> None:
        """It does not get the Remote ID."""

    def let_go(self, newcomer: RemoteHome) -> None:
        """This node goes down, and has nothing against it."""

    def registered_elsewhere(self, remote_id: str) -> None:
        """Another node announces that it holds a Remote ID, maybe without having heard of a claim to it."""


class Messages(Protocol):
    """The way to a home on another node."""

    def to_home(self, home: RemoteHome, session_id: str, kind: str, payload: bytes) -> None:
        """Send a message of type ``kind``, in a session, to a home."""

    def attach(self, home: RemoteHome, *, always: bool = False) -> None:
        """Tell its node of all sessions here, if there are any; it says so if the home isn't there."""


class RemoteHome(Connection):
    """One connection of a home, on the node ``node``, where it is called ``name``. It is its own peer."""

    __slots__ = ("_messages", "_verdicts", "heard_at", "home_id", "name", "node", "question")

    congested = False

    def __init__(
        self,
        remote_id: str,
        node: str,
        name: str,
        address: ClientAddress,
        messages: Messages,
        verdicts: Verdicts,
        question: int = 0,
    ) -> None:
        super().__init__(f"{name}@{node}", self, address, _NO_BUDGET, is_remote=True)
        self.home_id = remote_id
        """The Remote ID that it holds, or wants."""
        self.node = node
        self.name = name
        self.question = question
        """The number of its node's question, while the answer is open."""
        self.heard_at = 0.0
        """When its node said last that it holds its Remote ID."""
        self._messages = messages
        self._verdicts = verdicts

    def is_of(self, node: str, name: str) -> bool:
        """Whether it stands for that connection."""
        return (self.node, self.name) == (node, name)

    def forward(self, session_id: str, kind: str, payload: bytes) -> None:
        self._messages.to_home(self, session_id, kind, payload)

    # As a peer

    def send(self, message: bytes) -> None:
        """Do nothing: its own node answers what it asks for."""

    def ping(self, payload: bytes) -> None:
        """Do nothing: its own node pings it."""

    def pause_reading(self, seconds: float) -> None:
        """Do nothing: its own node charges it."""

    def after_reading(self, call: Callable[[], None]) -> None:
        raise AssertionError("whether a connection lives is judged by its own node")

    def close(self, code: int, reason: str) -> None:
        if not self.question:
            return
        if code == CloseCode.TRY_AGAIN_LATER:
            self._verdicts.refused(self)
        else:
            self._verdicts.let_go(self)

    def drop(self) -> None:
        """Do nothing: its own node drops it."""
