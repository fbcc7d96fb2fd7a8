"""Messages about proofs for which one node asks in another one's place."""

from __future__ import annotations

from typing import Any

from ma_signaling.cluster.messages.base import NodeMessage


class AskForMe(NodeMessage):
    """To ``node``: I can't ask for proof, so ask my peer in my place."""

    asking: int
    """My number for it."""
    remote_id: str


class FromProver(NodeMessage):
    """To ``node``: in that asking, there is an ``offer`` for the peer, or an outcome: ``proved`` or ``failed``."""

    asking: int
    what: str
    data: Any = None
    """The offer, or why it failed."""


class ToProver(NodeMessage):
    """To ``node``: in that asking, the peer sends an ``answer`` or a ``candidate``, or I end it (``cancel``)."""

    asking: int
    what: str
    data: Any = None
