"""Messages about who holds a Remote ID."""

from __future__ import annotations

from msgspec import Struct

from ma_signaling.cluster.messages.base import NodeMessage
from ma_signaling.core.peer import ClientAddress


class Registration(Struct, kw_only=True, array_like=True):
    """A connection that holds a Remote ID. Times are calendar times in seconds: nodes share no other clock."""

    remote_id: str
    node: str
    connection: str
    """Its name on its node."""
    term: float
    """Greater than that of any earlier registration that its node knew of: the greatest term is the latest news."""
    granted_at: float
    address: str
    """The key of its address (``ClientAddress.key``)."""
    shared: bool

    @property
    def client_address(self) -> ClientAddress:
        """The home's address, as far as other nodes need it."""
        return ClientAddress(self.address, self.address, self.shared)

    def is_elder_than(self, other: Registration) -> bool:
        """Return whether this registration's node decides when it conflicts with ``other``."""
        return (self.granted_at, self.node) < (other.granted_at, other.node)


class LookUp(NodeMessage):
    """To ``home``: who holds this home? Answered by ``Holder``, ``Away``, or nobody."""

    remote_id: str
    question: int


class Held(NodeMessage):
    """A registration of mine. The body has the home's ICE servers, if it gave any."""

    registration: Registration
    has_proved: bool
    """Whether the connection has proved that it has the key."""
    tells_ice: bool
    """Whether this says which ICE servers the home has."""


class Holder(Held):
    """To ``node``: I hold it."""

    question: int


class Away(NodeMessage):
    """To ``node``: nobody does, but I expect it back."""

    question: int


class Registered(Held):
    """To ``home`` and ``watch``: I hold it. A repetition doesn't tell the ICE servers."""


class Arrived(NodeMessage):
    """To ``all``: I hold these Remote IDs, whose claims nobody heard. Look up those that you know."""

    remote_ids: list[str]


class WaitForProof(NodeMessage):
    """To ``node``: answered sessions of mine wait until your home has proved itself."""

    remote_id: str


class Lost(NodeMessage):
    """To ``watch``: my connection broke, did not answer a probe, or made way."""

    remote_id: str
    connection: str


class Left(NodeMessage):
    """To ``watch``: my connection said goodbye."""

    remote_id: str
    connection: str


class Outdated(NodeMessage):
    """To ``node``: your registration is older than what I know. Announce it again if it still holds."""

    remote_id: str
    connection: str
    term: float
    """The latest term that I know."""
