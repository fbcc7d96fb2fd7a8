"""What nodes say to each other: subjects, and a line of JSON with a peer's own bytes after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import orjson

Fields = dict[str, Any]

PREFIX = "ma-signaling.1"
"""The last part is the version of what is said: nodes that speak another one do not hear each other."""

EVERYBODY = f"{PREFIX}.all"


class Bus(Protocol):
    """NATS, as far as it is needed. What this node publishes it does not hear itself; nothing here waits."""

    @property
    def is_up(self) -> bool:
        """Whether what is published arrives, as far as is known."""

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Send to all who subscribed; with ``reply``, a subject of this node's, it is told if there are none."""

    def subscribe(self, subject: str) -> None:
        """Hear what is sent to ``subject`` from now on."""

    def unsubscribe(self, subject: str) -> None:
        """Hear it no more."""


class Listener(Protocol):
    """Who is told what comes by a bus."""

    def received(self, payload: bytes) -> None:
        """Something was sent to a subject that this node hears."""

    def nobody(self, reply: str) -> None:
        """Nobody hears the subject of what was published with ``reply``."""

    def up(self) -> None:
        """The bus can be reached (again)."""

    def down(self) -> None:
        """The bus is away; what was under way may be lost."""


def presence(remote_id: str) -> str:
    """Heard by the node that holds this Remote ID, and by those that expect it back."""
    return f"{PREFIX}.home.{remote_id}"


def watch(remote_id: str) -> str:
    """Heard by nodes that have sessions with a home that is elsewhere."""
    return f"{PREFIX}.watch.{remote_id}"


def inbox(node: str, ask: int | str = 0) -> str:
    """Heard by one node; ``ask`` is the number of the question that is answered, if any."""
    return f"{PREFIX}.node.{node}.{ask}"


def pack(op: str, fields: Fields, body: bytes = b"") -> bytes:
    """One message."""
    return orjson.dumps({"op": op, **fields}) + b"\n" + body


def pack_many(payloads: list[bytes]) -> bytes:
    """Several messages as one: each costs NATS, and its client, more than what it says."""
    return pack("many", {"sizes": [len(payload) for payload in payloads]}, b"".join(payloads))


def unpack_many(fields: Fields, body: bytes) -> Iterator[bytes]:
    """Each of them."""
    start = 0
    for size in fields["sizes"]:
        yield body[start : start + size]
        start += size


def unpack(payload: bytes) -> tuple[str, Fields, bytes]:
    """Its operation, fields and body. Raises ValueError."""
    head, _, body = payload.partition(b"\n")
    fields = orjson.loads(head)
    if not isinstance(fields, dict):
        raise ValueError("no object")
    op = fields.pop("op", None)
    if not isinstance(op, str):
        raise ValueError("no operation")
    return op, fields, body
