"""Messages about the nodes themselves, and what all of them share."""

from __future__ import annotations

from typing import Any

from ma_signaling.cluster.messages.base import NodeMessage


class Beat(NodeMessage):
    """To ``all``, every two seconds: I live."""

    counts: dict[str, int]
    can_ask: bool
    """Whether I can myself ask for proof."""


class Bye(NodeMessage):
    """To ``all``: I am going."""


class MetAgain(NodeMessage):
    """To ``node``: I had given you up, and told my homes that your unanswered sessions are over. Ask for them again."""


class Block(NodeMessage):
    """To ``all``: the lookups of this address are blocked for so many seconds."""

    address: str
    seconds: float


class FindTrace(NodeMessage):
    """To ``all``: what happened in this session?"""

    session: str
    question: int


class Trace(NodeMessage):
    """To ``node``: this."""

    question: int
    trace: dict[str, Any]
