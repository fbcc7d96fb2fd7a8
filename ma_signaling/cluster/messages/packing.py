"""Messages between nodes as bytes.

A message is a head and any number of bodies. The head is the message of a class in this folder, as JSON. A body is JSON
that a peer has sent or is to be sent, as it is. Several messages for one subject are published as one. JSON contains no
control characters but white space, so control characters separate messages and their parts (as in RFC 7464), without
lengths or escapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union

from msgspec.json import Decoder, Encoder

from ma_signaling.cluster.messages import claims, nodes, proofs, registrations, sessions
from ma_signaling.cluster.messages.base import NodeMessage

_BETWEEN_MESSAGES = b"\x1e"
_BETWEEN_PARTS = b"\x1f"


def _classes() -> list[type[NodeMessage]]:
    """Return the classes of messages, but not those that only others are derived from."""
    modules = (claims, nodes, proofs, registrations, sessions)
    return [
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, NodeMessage) and not each.__subclasses__()
    ]


CLASSES = _classes()
"""All classes of messages."""

_encode = Encoder().encode
_decode = Decoder(Union[tuple(CLASSES)]).decode  # noqa: UP007 - made from a list


def pack(message: NodeMessage, bodies: Iterable[bytes] = ()) -> bytes:
    """Return a message and its bodies as bytes."""
    return _BETWEEN_PARTS.join((_encode(message), *bodies))


def unpack(packed: bytes) -> tuple[NodeMessage, list[bytes]]:
    """Return a message and its bodies. Raises ValueError if it isn't a message."""
    head, *bodies = packed.split(_BETWEEN_PARTS)
    return _decode(head), bodies


def pack_batch(messages: list[bytes]) -> bytes:
    """Join messages to be published as one, since NATS and its client pay for each more than for its bytes."""
    return _BETWEEN_MESSAGES.join(messages)


def unpack_batch(batch: bytes) -> list[bytes]:
    """Return the messages of a batch."""
    return batch.split(_BETWEEN_MESSAGES)
