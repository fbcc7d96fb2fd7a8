"""Which nodes there are: each says every two seconds that it lives, and one that falls silent is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from ma_signaling.cluster.here import Here
from ma_signaling.cluster.wire import Fields

BEAT_SECONDS = 2.0
DEAD_SECONDS = 7.0
"""After so many seconds of silence a node counts as dead: three beats may get lost."""

UNSURE_SECONDS = 60.0
"""For how long after that its homes may be somewhere, and just not be heard."""


@dataclass(slots=True)
class Member:
    """Another node."""

    seen_at: float
    counts: dict[str, int]


class Members:
    """The other nodes.

    ``met`` is called with one that was unknown or given up, ``lost`` with one that is gone, and whether it said so.
    """

    def __init__(self, here: Here, met: Callable[[str], None], lost: Callable[[str, bool], None]) -> None:
        self._here = here
        self._met = met
        self._lost = lost
        self._members: dict[str, Member] = {}
        self._buried_at = -inf

    def beat(self) -> None:
        """Say that this node lives."""
        self._here.tell_everybody("beat", counts=self._here.hub.own_counts())

    def bye(self) -> None:
        """Say that this node goes."""
        self._here.tell_everybody("bye")

    def hear_beat(self, fields: Fields) -> None:
        """Another node lives."""
        self._members[fields["node"]].counts = fields["counts"]

    def heard_of(self, node: str) -> None:
        """Another node has said something: it lives, and will be missed."""
        if node in self._members:
            self._members[node].seen_at = self._here.clock.seconds()
        else:
            self._members[node] = Member(self._here.clock.seconds(), {})
            self._met(node)

    def hear_bye(self, fields: Fields) -> None:
        """Another node goes."""
        self._members.pop(fields["node"], None)
        self._lost(fields["node"], True)

    def bury(self) -> None:
        """Look for those that have fallen silent."""
        oldest = self._here.clock.seconds() - DEAD_SECONDS
        for node in [node for node, member in self._members.items() if member.seen_at < oldest]:
            del self._members[node]
            self._buried_at = self._here.clock.seconds()
            self._lost(node, False)

    def is_whole(self) -> bool:
        """Whether no node fell silent lately: what nobody knows may be known to one that is only cut off."""
        return self._here.clock.seconds() - self._buried_at >= UNSURE_SECONDS

    def reprieve(self) -> None:
        """Nobody could be heard for a while, which says nothing about anybody."""
        for member in self._members.values():
            member.seen_at = self._here.clock.seconds()

    def counts(self) -> dict[str, int]:
        """The numbers of all nodes together."""
        own = self._here.hub.own_counts()
        every = [own, *(member.counts for member in self._members.values())]
        return {"nodes": len(every), **{name: sum(each.get(name, 0) for each in every) for name in own}}
