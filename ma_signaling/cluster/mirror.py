"""A home on another node, as a peer of this one: what the heart sends it goes there.

It is a newcomer first where its node has asked this one for a Remote ID, and a holder when it has got it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import orjson

from ma_signaling.core.connection import Connection
from ma_signaling.core.errors import CloseCode


class Verdicts(Protocol):
    """What becomes of a newcomer."""

    def refused(self, mirror: Mirror) -> None:
        """It does not get the Remote ID."""

    def let_go(self, mirror: Mirror) -> None:
        """This node goes down, and holds nothing against it."""


class Messages(Protocol):
    """The way to a home on another node."""

    def to_home(self, mirror: Mirror, session_id: str, body: bytes) -> None:
        """Send a message of a session's, or (without one) of this node's own."""

    def attach(self, mirror: Mirror, *, always: bool = False) -> None:
        """Tell its node of all sessions here, if there are any; it says so if the home isn't there."""


class Mirror:
    """One connection of a home's, on the node ``node``, where it is called ``name``."""

    congested = False
    connection: Connection

    def __init__(
        self, remote_id: str, node: str, name: str, messages: Messages, verdicts: Verdicts, ask: int = 0
    ) -> None:
        self.remote_id = remote_id
        self.node = node
        self.name = name
        self.ask = ask
        """The number of its node's question, while the answer is open."""
        self.heard_at = 0.0
        """When its node said last that it holds its Remote ID."""
        self._messages = messages
        self._verdicts = verdicts

    @property
    def is_holder(self) -> bool:
        """Whether it holds its Remote ID, as far as this node knows."""
        return self.connection.remote_id == self.remote_id

    def is_of(self, node: str, name: str) -> bool:
        """Whether it stands for that connection."""
        return (self.node, self.name) == (node, name)

    def send(self, message: bytes) -> None:
        if not self.is_holder:
            return
        fields = orjson.loads(message)
        if fields["type"] != "registered":
            self._messages.to_home(self, fields.get("sessionId", ""), message)

    def ping(self, payload: bytes) -> None:
        """Its own node sees to that."""

    def after_reading(self, call: Callable[[], None]) -> None:
        """Its own node sees to that."""

    def close(self, code: int, reason: str) -> None:
        if not self.ask:
            return
        if code == CloseCode.TRY_AGAIN_LATER:
            self._verdicts.refused(self)
        else:
            self._verdicts.let_go(self)

    def drop(self) -> None:
        """Its own node sees to that."""
