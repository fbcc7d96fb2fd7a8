"""What nodes have in common: a bus with subjects, and messages made of a line of JSON and a peer's own bytes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Protocol

import orjson

Fields = dict[str, Any]
"""A message's fields; ``body`` is a peer's own bytes, or absent."""

PREFIX = "ma-signaling.4"
"""The last part is the version of the messages: nodes with another version don't hear each other."""

ALL_NODES = f"{PREFIX}.all"


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


def pack(op: str, fields: Fields, body: bytes = b"") -> bytes:
    """Return one message."""
    return orjson.dumps({"op": op, **fields}) + b"\n" + body


def pack_all(op: str, fields: Fields, bodies: list[bytes]) -> bytes:
    """Return one message whose body is several others, one after the other; ``unpack_all`` takes them apart."""
    return pack(op, {**fields, "sizes": list(map(len, bodies))}, b"".join(bodies))


def parts(bodies: list[bytes], max_bytes: int) -> Iterator[slice]:
    """Yield which of ``bodies`` go together: no more than so many bytes, or one that is longer."""
    start = size = 0
    for number, body in enumerate(bodies):
        size += len(body)
        if size > max_bytes and number > start:
            yield slice(start, number)
            start, size = number, len(body)
    yield slice(start, len(bodies))


def unpack_all(fields: Fields) -> list[bytes]:
    """Return what ``pack_all`` has packed together."""
    body: bytes = fields.get("body", b"")
    starts = accumulate(fields["sizes"], initial=0)
    return [body[start : start + size] for start, size in zip(starts, fields["sizes"], strict=False)]


def pack_batch(payloads: list[bytes]) -> bytes:
    """Return several messages as one: each message costs NATS, and its client, more than its bytes."""
    return pack_all("batch", {}, payloads)


def unpack_batch(payload: bytes) -> list[bytes]:
    """Return the messages of a batch, or the one message that it is."""
    if not payload.startswith(b'{"op":"batch"'):
        return [payload]
    return unpack_all(unpack(payload)[1])


def unpack(payload: bytes) -> tuple[str, Fields]:
    """Return a message's operation and fields. Raises ValueError."""
    head, _, body = payload.partition(b"\n")
    fields = orjson.loads(head)
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    op = fields.pop("op", None)
    if not isinstance(op, str):
        raise ValueError("no operation")
    if body:
        fields["body"] = body
    return op, fields
