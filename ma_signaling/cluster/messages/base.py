"""What all messages between nodes have in common."""

from __future__ import annotations

import re

from msgspec import Struct


def _operation(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class NodeMessage(Struct, kw_only=True, array_like=True, tag_field="op", tag=_operation):
    """A message of a node: an array of the operation's name and the fields of its class."""

    sender: str = ""
    """The node's name; ``Context`` sets it."""
