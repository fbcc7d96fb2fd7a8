"""The bus between nodes, and its subjects."""

from __future__ import annotations

from typing import Protocol

PREFIX = "ma-signaling.6"
"""The last part is the version of the messages: nodes with another version don't hear each other."""

ALL_NODES = f"{PREFIX}.all"


class Bus(Protocol):
    """The part of NATS that a node uses. A node doesn't receive its own messages; no method waits."""

    @property
    def is_up(self) -> bool:
        """Whether published messages arrive, as far as is known."""

    @property
    def max_batch_bytes(self) -> int:
        """The most bytes that several messages published as one may have; 0 before the bus has been up."""

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Send to all subscribers of ``subject``.

        If there are none and ``reply`` isn't empty, ``Listener.no_subscribers`` is called with it.
        """

    def subscribe(self, subject: str) -> None:
        """Receive messages for ``subject`` from now on."""

    def unsubscribe(self, subject: str) -> None:
        """Stop receiving messages for ``subject``."""


class Listener(Protocol):
    """The receiver of a bus's messages."""

    def received(self, payload: bytes) -> None:
        """Handle a message for a subject that this node has subscribed to."""

    def no_subscribers(self, reply: str) -> None:
        """Handle that nobody has subscribed to the subject of the message published with ``reply``."""

    def up(self) -> None:
        """Handle that the bus can be reached, for the first time or again."""

    def down(self) -> None:
        """Handle that the bus can't be reached; messages on their way may be lost."""


def home_subject(remote_id: str) -> str:
    """Return the subject of the nodes that hold a Remote ID, expect its home back, or claim it."""
    return f"{PREFIX}.home.{remote_id}"


def watch_subject(remote_id: str) -> str:
    """Return the subject of the nodes that have sessions with a home on another node."""
    return f"{PREFIX}.watch.{remote_id}"


def node_subject(node: str, question: int | str = 0) -> str:
    """Return a subject of one node; ``question`` is the number of the question that is answered, or 0."""
    return f"{PREFIX}.node.{node}.{question}"
