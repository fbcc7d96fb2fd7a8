"""Registrations, as nodes announce them: which connection holds which Remote ID.

Where two nodes find that both hold a Remote ID (after a partition, or a lost message), the node of the elder
registration decides. Both nodes compare the same facts.
"""

from __future__ import annotations

from collections import OrderedDict

from ma_signaling.cluster.context import Context
from ma_signaling.cluster.messages.registrations import (
    Arrived,
    Holder,
    Left,
    Lost,
    Outdated,
    Registered,
    Registration,
)
from ma_signaling.core.home import Home, HomeState

REPEAT_SECONDS = 60.0
"""How often each registration is announced again, to make up for lost messages."""

TOGETHER_SECONDS = 0.25
"""How long the announcement of a home waits for others, if no other node has asked for that home."""

MAX_TOGETHER = 1000
"""The most Remote IDs in one ``arrived`` message."""


class LatestTerms:
    """The latest term of each Remote ID that is known here."""

    def __init__(self) -> None:
        self._latest: dict[str, float] = {}

    def of(self, remote_id: str) -> float:
        """Return the term of the latest registration, 0 if none is known."""
        return self._latest.get(remote_id, 0.0)

    def note(self, remote_id: str, term: float) -> None:
        """Note that a registration of a Remote ID has this ``term``."""
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
        """When each was last announced, the longest ago first."""
        self._previous_terms: dict[str, float] = {}
        """Terms of previous holders on other nodes, until the Remote IDs are granted here."""
        self._arrived: list[str] = []
        """Remote IDs that wait to be announced together."""
        context.on(Outdated, self._on_outdated)

    def get(self, remote_id: str) -> Registration | None:
        """Return the registration of a Remote ID that a connection of this node holds."""
        return self._registrations.get(remote_id)

    def set_previous_term(self, remote_id: str, term: float) -> None:
        """Keep the term of the previous holder, on another node; the next grant here goes on from it."""
        self._previous_terms[remote_id] = term

    def drop_previous_term(self, remote_id: str) -> None:
        """Drop the previous holder's term, if no grant here has used it."""
        self._previous_terms.pop(remote_id, None)

    def latest_term(self, remote_id: str) -> float:
        """Return the latest term of a home that this node has just given away: its new node is told."""
        return self._terms.of(remote_id)

    def begin(self, home: Home) -> None:
        """Register that a connection of this node holds a Remote ID, without announcing it."""
        now, wall = self._context.clock.seconds(), self._context.wall()
        before = self._previous_terms.pop(home.remote_id, None)
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
        """Tell other nodes which connection here holds the Remote ID of ``home``."""
        registered = Registered(
            registration=self._registrations[home.remote_id],
            has_proved=_has_proved(home),
            tells_ice=with_ice,
        )
        bodies = _ice_servers(home) if with_ice else ()
        self._context.send_to_watchers(home.remote_id, registered, *bodies)
        self._context.send_to_holder(home.remote_id, registered, *bodies)

    def answer(self, node: str, question: int, home: Home) -> None:
        """Tell a node that has asked which connection here holds the Remote ID of ``home``."""
        holder = Holder(
            question=question,
            registration=self._registrations[home.remote_id],
            has_proved=_has_proved(home),
            tells_ice=True,
        )
        self._context.send(node, holder, *_ice_servers(home))

    def announce_later(self, remote_id: str) -> None:
        """Announce a Remote ID that no other node knew, together with others, within ``TOGETHER_SECONDS``."""
        if not self._arrived:
            self._context.clock.callLater(TOGETHER_SECONDS, self._announce_arrived)
        self._arrived.append(remote_id)

    def _announce_arrived(self) -> None:
        arrived = [remote_id for remote_id in self._arrived if remote_id in self._registrations]
        self._arrived.clear()
        for start in range(0, len(arrived), MAX_TOGETHER):
            self._context.send_to_all(Arrived(remote_ids=arrived[start : start + MAX_TOGETHER]))

    def announce_all(self) -> None:
        """Announce all registrations again."""
        for remote_id in list(self._announced_at):
            self._announce_again(remote_id)

    def repeat(self, seconds: float) -> None:
        """Announce registrations again that are due, up to twice as many as fall due in ``seconds``."""
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
        # The ICE servers are most of the message, and the nodes that need them have them.
        self.announce(home, with_ice=False)

    def vacated(self, home: Home, connection: str, *, goodbye: bool) -> None:
        """End a registration, and tell watching nodes that the connection lost the Remote ID or said goodbye."""
        self._registrations.pop(home.remote_id, None)
        gone = Left if goodbye else Lost
        self._context.send_to_watchers(home.remote_id, gone(remote_id=home.remote_id, connection=connection))

    def displaced(self, remote_id: str) -> None:
        """Tell watching nodes that the holder here, if there still is one, loses to a newcomer of another node."""
        registration = self._registrations.get(remote_id)
        if registration is not None:
            lost = Lost(remote_id=remote_id, connection=registration.connection)
            self._context.send_to_watchers(remote_id, lost)

    def confirmed(self, home: Home) -> None:
        """Announce that the holder here stays, though another node's holder took precedence."""
        self.insist(home, self._previous_terms.pop(home.remote_id, 0.0))

    def insist(self, home: Home, term: float) -> None:
        """Announce a registration with a term greater than ``term``."""
        registration = self._registrations[home.remote_id]
        registration.term = max(registration.term, term) + 1
        self._terms.note(home.remote_id, registration.term)
        self.announce(home)

    def end(self, remote_id: str) -> None:
        """End the registration of a Remote ID that a connection of another node now holds."""
        self._registrations.pop(remote_id, None)

    def forget(self, remote_id: str) -> None:
        """Forget a home that the registry has forgotten."""
        self._registrations.pop(remote_id, None)
        self._announced_at.pop(remote_id, None)

    def _on_outdated(self, message: Outdated) -> None:
        remote_id, term = message.remote_id, message.term
        home, mine = self._context.hub.registry.find(remote_id), self._registrations.get(remote_id)
        if (
            home is not None
            and mine is not None
            # Otherwise the later term may be a rival's, and a verdict follows.
            and not home.is_disputed
            and mine.connection == message.connection
            and mine.term <= term
        ):
            self.insist(home, term)


def _has_proved(home: Home) -> bool:
    return home.connection is not None and home.connection.proof is not None


def _ice_servers(home: Home) -> tuple[bytes, ...]:
    return () if home.ice_servers is None else (home.ice_servers,)
