"""What nodes have in common: a bus with subjects, and messages made of JSON texts.

A message is a head, whose fields are this server's, and any number of bodies, which are a peer's own JSON as it came.
Several messages for one subject are published as one. JSON has no raw control characters but white space, so a control
character separates them (as in RFC 7464), and nothing need be counted or escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import orjson

Fields = dict[str, Any]
"""A message's fields; ``bodies`` is a list of what peers have sent, as bytes."""

PREFIX = "ma-signaling.5"
"""The last part is the version of the messages: nodes with another version don't hear each other."""

ALL_NODES = f"{PREFIX}.all"

_BETWEEN_MESSAGES = b"\x1e"
_BETWEEN_PARTS = b"\x1f"


class Bus(Protocol):
    """What is needed of NATS. A node doesn't hear what it publishes itself; no method waits."""

    @property
    def is_up(self) -> bool:
        """Whether what is published arrives, as far as is known."""

    @property
    def max_batch_bytes(self) -> int:
        """How many bytes several messages may have that are published as one; 0 before the bus was up."""

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Send to all subscribers; with ``reply``, a subject of this node, it is told if there are none."""

    def subscribe(self, subject: str) -> None:
        """Receive what is sent to ``subject`` from now on."""

    def unsubscribe(self, subject: str) -> None:
        """Stop receiving what is sent to ``subject``."""


class Listener(Protocol):
    """The receiver of what comes by a bus."""

    def received(self, payload: bytes) -> None:
        """A message came on a subject of this node's subscriptions."""

    def no_subscribers(self, reply: str) -> None:
        """Nobody has subscribed to the subject of what was published with ``reply``."""

    def up(self) -> None:
        """The bus can be reached (again)."""

    def down(self) -> None:
        """The bus can't be reached; what was under way may be lost."""


def home_subject(remote_id: str) -> str:
    """Return the subject of the nodes that hold a Remote ID, expect its home back, or claim it."""
    return f"{PREFIX}.home.{remote_id}"


def watch_subject(remote_id: str) -> str:
    """Return the subject of the nodes that have sessions with a home on another node."""
    return f"{PREFIX}.watch.{remote_id}"


def node_subject(node: str, question: int | str = 0) -> str:
    """Return the subject of one node; ``question`` is the number of its question that is answered, if any."""
    return f"{PREFIX}.node.{node}.{question}"


def pack(op: str, node: str, fields: Fields, bodies: Iterable[bytes] = ()) -> bytes:
    """Return a message of ``node``."""
    return _BETWEEN_PARTS.join((orjson.dumps({"op": op, "node": node, **fields}), *bodies))


def unpack(message: bytes) -> tuple[str, Fields]:
    """Return a message's operation and fields. Raises ValueError."""
    head, *bodies = message.split(_BETWEEN_PARTS)
    fields = orjson.loads(head)
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    op = fields.pop("op", None)
    if not isinstance(op, str):
        raise ValueError("no operation")
    fields["bodies"] = bodies
    return op, fields


def pack_batch(messages: list[bytes]) -> bytes:
    """Return several messages as one: each costs NATS, and its client, more than its bytes."""
    return _BETWEEN_MESSAGES.join(messages)


def unpack_batch(batch: bytes) -> list[bytes]:
    """Return the messages of a batch."""
    return batch.split(_BETWEEN_MESSAGES)
