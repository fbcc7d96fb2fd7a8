"""A hold: one connection's possession of a Remote ID, as its node tells the others; and which of two is the better.

The rule, for two nodes that find out that both hold the same Remote ID (after a partition, or a lost message): between
connections from the same address, the newer one: the home has moved. Otherwise the senior one (docs/protocol.md,
*Takeover*), otherwise the one who has held it for longer. Both nodes judge by the same facts, so both come to the same
verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

from ma_signaling.cluster.wire import Fields
from ma_signaling.core.peer import ClientAddress


@dataclass(slots=True)
class Hold:
    """Who holds a Remote ID; times are in seconds by the calendar, for nodes have no other in common."""

    remote_id: str
    node: str
    connection: str
    """Its name on its node."""
    term: float
    """Greater than that of any hold before, as far as its node knew: the latest news wins."""
    granted_at: float
    held_since: float
    key: str
    shared: bool
    senior: bool

    @property
    def address(self) -> ClientAddress:
        """Where the home came from, as far as other nodes need it."""
        return ClientAddress(self.key, self.key, self.shared)

    def beats(self, other: Hold) -> bool:
        """Whether this one stays where both are held."""
        if self.address.is_surely(other.address):
            return (self.granted_at, self.node) > (other.granted_at, other.node)
        if self.senior != other.senior:
            return self.senior
        return (self.held_since, self.granted_at, self.node) < (
            other.held_since,
            other.granted_at,
            other.node,
        )

    def fields(self) -> Fields:
        """As JSON."""
        # asdict() copies deeply, at ten times the cost.
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def parse(cls, fields: Fields) -> Hold:
        """From what ``fields`` returned, and more. Raises KeyError."""
        return cls(**{name: fields[name] for name in cls.__slots__})


class Terms:
    """The latest term that is known of each home that is known here."""

    def __init__(self) -> None:
        self._latest: dict[str, float] = {}

    def of(self, remote_id: str) -> float:
        """The term of the latest hold, 0 where none is known."""
        return self._latest.get(remote_id, 0.0)

    def note(self, remote_id: str, term: float) -> None:
        """Somebody holds a Remote ID, or has held it, since ``term``."""
        self._latest[remote_id] = max(term, self.of(remote_id))

    def forget(self, remote_id: str) -> None:
        """Nothing is known here of a home any more."""
        self._latest.pop(remote_id, None)
