"""Registrations: which connection holds a Remote ID, as its node announces it; and those of this node.

Where two nodes find that both hold a Remote ID (after a partition, or a lost message), the elder registration's node
decides. Both judge by the same facts which that is.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import orjson

from ma_signaling.cluster.bus import Fields
from ma_signaling.cluster.context import Context
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.peer import ClientAddress

REPEAT_SECONDS = 60.0
"""How often each registration is announced again, so that whatever got lost is found out."""


TOGETHER_SECONDS = 0.25
"""How long the announcement of a home waits for others, where no other node has asked for it."""

MAX_TOGETHER = 1000
"""Remote IDs in one such announcement."""


@dataclass(slots=True)
class Registration:
    """A connection that holds a Remote ID. Times are calendar times in seconds: nodes have no other clock in common."""

    remote_id: str
    node: str
    connection: str
    """Its name on its node."""
    term: float
    """Greater than that of any registration before, as far as its node knew: the latest news wins."""
    granted_at: float
    address: str
    """What its client address is counted by."""
    shared: bool

    @property
    def client_address(self) -> ClientAddress:
        """Where the home came from, as far as other nodes need it."""
        return ClientAddress(self.address, self.address, self.shared)

    def is_elder_than(self, other: Registration) -> bool:
        """Return whether this one's node decides where there are both."""
        return (self.granted_at, self.node) < (other.granted_at, other.node)

    def fields(self) -> Fields:
        """Return it as JSON."""
        # asdict() copies deeply, at ten times the cost.
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def parse(cls, fields: Fields) -> Registration:
        """Return it from what ``fields`` returned, and more. Raises KeyError."""
        return cls(**{name: fields[name] for name in cls.__slots__})


class LatestTerms:
    """The latest term of each Remote ID that is known here."""

    def __init__(self) -> None:
        self._latest: dict[str, float] = {}

    def of(self, remote_id: str) -> float:
        """Return the term of the latest registration, 0 where none is known."""
        return self._latest.get(remote_id, 0.0)

    def note(self, remote_id: str, term: float) -> None:
        """Somebody holds a Remote ID, or has held it, since ``term``."""
        self._latest[remote_id] = max(term, self.of(remote_id))

    def forget(self, remote_id: str) -> None:
        """Forget a Remote ID."""
        self._latest.pop(remote_id, None)


class Registrations:
    """The registrations of this node's connections, and their announcements."""

    def __init__(self, context: Context, terms: LatestTerms) -> None:
        self._context = context
        self._terms = terms
        self._registrations: dict[str, Registration] = {}
        self._announced_at: OrderedDict[str, float] = OrderedDict()
        """When each was announced, the longest ago first."""
        self._inherited: dict[str, float] = {}
        self._arrived: list[str] = []
        """To be announced together."""
        context.on("outdated", self._on_outdated)

    def get(self, remote_id: str) -> Registration | None:
        """Return the registration of a Remote ID that a connection of this node holds."""
        return self._registrations.get(remote_id)

    def inherit(self, remote_id: str, fields: Fields) -> None:
        """Keep the previous holder's term; the next grant here goes on from it."""
        self._inherited[remote_id] = fields["term"]

    def disinherit(self, remote_id: str) -> None:
        """Nobody is left here who could go on from it."""
        self._inherited.pop(remote_id, None)

    def legacy(self, remote_id: str) -> Fields:
        """Return what ``inherit`` takes, about a home that this node has just given away."""
        return {"term": self._terms.of(remote_id)}

    def begin(self, home: Home) -> None:
        """A connection of this node holds a Remote ID; nothing is announced yet."""
        now, wall = self._context.clock.seconds(), self._context.wall()
        before = self._inherited.pop(home.remote_id, None)
        if before is not None:
            self._terms.note(home.remote_id, before)
        assert home.connection is not None
        registration = Registration(
            remote_id=home.remote_id,
            node=self._context.node,
            connection=home.connection.id,
            term=max(wall, self._terms.of(home.remote_id) + 1),
            granted_at=wall,
            address=home.connection.address.key,
            shared=home.connection.address.shared,
        )
        self._terms.note(home.remote_id, registration.term)
        self._announced_at[home.remote_id] = now
        self._announced_at.move_to_end(home.remote_id)
        self._registrations[home.remote_id] = registration

    def announce(self, home: Home, *, with_ice: bool = True) -> None:
        """Tell other nodes who holds the Remote ID of a home of this node."""
        fields = self.describe(home)
        if not with_ice:
            del fields["ice"]
        self._context.send_to_watchers(home.remote_id, "registered", **fields)
        self._context.send_to_holder(home.remote_id, "registered", **fields)

    def announce_later(self, remote_id: str) -> None:
        """Tell other nodes together with others that a connection here holds a Remote ID of which none knew."""
        if not self._arrived:
            self._context.clock.callLater(TOGETHER_SECONDS, self._announce_arrived)
        self._arrived.append(remote_id)

    def _announce_arrived(self) -> None:
        arrived = [remote_id for remote_id in self._arrived if remote_id in self._registrations]
        self._arrived.clear()
        for start in range(0, len(arrived), MAX_TOGETHER):
            self._context.send_to_all("arrived", remote_ids=arrived[start : start + MAX_TOGETHER])

    def describe(self, home: Home) -> Fields:
        """Return what is announced about a home of this node."""
        ice = None if home.ice_servers is None else orjson.Fragment(home.ice_servers)
        proved = home.connection is not None and home.connection.proof is not None
        return {**self._registrations[home.remote_id].fields(), "proved": proved, "ice": ice}

    def announce_all(self) -> None:
        """Announce all registrations."""
        for remote_id in list(self._announced_at):
            self._announce_again(remote_id)

    def repeat(self, seconds: float) -> None:
        """Announce those that weren't announced for long, as many as come up in ``seconds``."""
        now = self._context.clock.seconds()
        for _ in range(1 + int(2 * len(self._announced_at) * seconds / REPEAT_SECONDS)):
            remote_id, announced_at = next(iter(self._announced_at.items()), ("", now))
            if now - announced_at < REPEAT_SECONDS:
                break
            self._announce_again(remote_id)

    def _announce_again(self, remote_id: str) -> None:
        now = self._context.clock.seconds()
        home = self._context.hub.registry.find(remote_id)
        if home is None or home.state is not HomeState.LOCAL:
            del self._announced_at[remote_id]
            return
        self._announced_at[remote_id] = now
        self._announced_at.move_to_end(remote_id)
        # The ICE servers are most of it, and known to those who need them.
        self.announce(home, with_ice=False)

    def vacated(self, home: Home, connection: str, *, goodbye: bool) -> None:
        """A connection of this node doesn't hold a Remote ID any more."""
        self._registrations.pop(home.remote_id, None)
        self._context.send_to_watchers(home.remote_id, "left" if goodbye else "lost", connection=connection)

    def displaced(self, remote_id: str) -> None:
        """A newcomer elsewhere gets what a connection here held, if it is still there."""
        registration = self._registrations.get(remote_id)
        if registration is not None:
            self._context.send_to_watchers(remote_id, "lost", connection=registration.connection)

    def confirmed(self, home: Home) -> None:
        """The holder here stays, though another one had more right to."""
        self.insist(home, self._inherited.pop(home.remote_id, 0.0))

    def insist(self, home: Home, term: float) -> None:
        """Announce a registration as if it had begun after ``term``."""
        registration = self._registrations[home.remote_id]
        registration.term = max(registration.term, term) + 1
        self._terms.note(home.remote_id, registration.term)
        self.announce(home)

    def end(self, remote_id: str) -> None:
        """A connection of another node holds a Remote ID from now on."""
        self._registrations.pop(remote_id, None)

    def forget(self, remote_id: str) -> None:
        """This node has forgotten a home."""
        self._registrations.pop(remote_id, None)
        self._announced_at.pop(remote_id, None)

    def _on_outdated(self, fields: Fields) -> None:
        """Another node knows a later term than that of a registration here: announce it again if it holds."""
        remote_id, term = fields["remote_id"], fields["term"]
        home, mine = self._context.hub.registry.find(remote_id), self._registrations.get(remote_id)
        if (
            home is not None
            and mine is not None
            # The later term may be its rival's: a verdict is under way.
            and not home.is_disputed
            and mine.connection == fields["connection"]
            and mine.term <= term
        ):
            self.insist(home, term)


def ice_of(fields: Fields) -> bytes | None:
    """Return the ICE servers of a home that another node describes, as JSON."""
    ice = fields.get("ice")
    return None if ice is None else orjson.dumps(ice)
