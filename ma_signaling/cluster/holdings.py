"""What this node holds, and what it tells other nodes of it."""

from __future__ import annotations

from collections import OrderedDict

import orjson

from ma_signaling.cluster.here import Here
from ma_signaling.cluster.hold import Hold, Terms
from ma_signaling.cluster.wire import Fields
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.seniority import TENURE

REPEAT_SECONDS = 60.0
"""How often each hold is told anew, so that whatever got lost is found out."""


class Holdings:
    """The holds of this node's connections."""

    def __init__(self, here: Here, terms: Terms) -> None:
        self._here = here
        self._terms = terms
        self._holds: dict[str, Hold] = {}
        self._told_at: OrderedDict[str, float] = OrderedDict()
        """When each hold was told, the longest ago first."""
        self._senior_told_at: dict[str, float] = {}
        self._inherited: dict[str, Fields] = {}

    def of(self, remote_id: str) -> Hold | None:
        """The hold of a Remote ID, if a connection here has it."""
        return self._holds.get(remote_id)

    def inherit(self, remote_id: str, fields: Fields) -> None:
        """What the holder before has said of itself, which the next grant here goes on from."""
        self._inherited[remote_id] = fields

    def disinherit(self, remote_id: str) -> None:
        """Nobody here is left who could go on from it."""
        self._inherited.pop(remote_id, None)

    def legacy(self, remote_id: str) -> Fields:
        """What ``inherit`` takes, of a home that this node has just handed on."""
        home = self._here.hub.registry.find(remote_id)
        assert home is not None
        return {
            "term": self._terms.of(remote_id),
            "key": home.owner.key,
            "shared": home.owner.shared,
            "held_since": self._here.wall() - (self._here.clock.seconds() - home.held_since),
        }

    def begin(self, home: Home) -> None:
        """A connection here holds a Remote ID; nobody is told yet."""
        now, wall = self._here.clock.seconds(), self._here.wall()
        before = self._inherited.pop(home.remote_id, None)
        if before is not None:
            self._terms.note(home.remote_id, before["term"])
            if home.owner.is_surely(ClientAddress("", before["key"], before["shared"])):
                home.held_since = min(home.held_since, now - (wall - before["held_since"]))
        assert home.connection is not None
        hold = Hold(
            remote_id=home.remote_id,
            node=self._here.node,
            connection=home.connection.id,
            term=max(wall, self._terms.of(home.remote_id) + 1),
            granted_at=wall,
            held_since=wall - (now - home.held_since),
            key=home.owner.key,
            shared=home.owner.shared,
            senior=False,
        )
        self._terms.note(home.remote_id, hold.term)
        self._told_at[home.remote_id] = now
        self._told_at.move_to_end(home.remote_id)
        self._senior_told_at.pop(home.remote_id, None)
        self._holds[home.remote_id] = hold

    def tell(self, home: Home, *, evicting: bool = False, in_short: bool = False) -> None:
        """Tell who holds a home that is here."""
        news = self.news(home, evicting)
        if in_short:
            del news["ice"]
        self._here.tell_watchers(home.remote_id, "held", **news)
        self._here.tell_holder(home.remote_id, "held", **news)

    def news(self, home: Home, evicting: bool = False) -> Fields:
        """What is told of a home that is here."""
        ice = None if home.ice_servers is None else orjson.Fragment(home.ice_servers)
        hold, now = self._holds[home.remote_id], self._here.clock.seconds()
        # As it is told, so that both sides of a conflict judge by the same.
        is_senior = self._here.hub.registry.seniority.is_senior(home.remote_id, home.owner, now)
        hold.senior = not home.owner.shared and (is_senior or now - home.held_since >= TENURE)
        return {**hold.fields(), "evicting": evicting, "ice": ice}

    def tell_all(self) -> None:
        """Tell all holds."""
        for remote_id in list(self._told_at):
            self._tell_again(remote_id)

    def repeat(self, seconds: float) -> None:
        """Tell some of the holds that were not told for long, as many as come up in ``seconds``."""
        now = self._here.clock.seconds()
        for _ in range(1 + int(2 * len(self._told_at) * seconds / REPEAT_SECONDS)):
            remote_id, told_at = next(iter(self._told_at.items()), ("", now))
            if now - told_at < REPEAT_SECONDS:
                break
            self._tell_again(remote_id)

    def _tell_again(self, remote_id: str) -> None:
        now = self._here.clock.seconds()
        home = self._here.hub.registry.find(remote_id)
        if home is None or home.state is not HomeState.LOCAL:
            del self._told_at[remote_id]
            return
        self._told_at[remote_id] = now
        self._told_at.move_to_end(remote_id)
        # The ICE servers are most of it, and known to those who need them.
        self.tell(home, in_short=True)
        is_due = now - self._senior_told_at.get(remote_id, 0.0) >= TENURE
        if now - home.held_since >= TENURE and is_due and not home.owner.shared:
            self._senior_told_at[remote_id] = now
            self._here.tell_everybody("senior", r=remote_id, key=home.owner.key)

    def vacated(self, home: Home, name: str, *, goodbye: bool) -> None:
        """The connection ``name``, which was here, has let go of a Remote ID."""
        self._holds.pop(home.remote_id, None)
        self._here.tell_watchers(home.remote_id, "left" if goodbye else "lost", name=name)

    def evicted(self, home: Home) -> None:
        """The holder here gave no sign of life, and a newcomer elsewhere gets it: which may have left meanwhile."""
        hold = self._holds.get(home.remote_id)
        if hold is not None:
            self._here.tell_watchers(home.remote_id, "evicted", name=hold.connection)

    def hear_outdated(self, fields: Fields) -> None:
        """Another node takes what was told of a hold for old news: say it again if it holds."""
        remote_id, term = fields["r"], fields["term"]
        home, mine = self._here.hub.registry.find(remote_id), self._holds.get(remote_id)
        if home is not None and mine is not None and mine.connection == fields["name"] and mine.term <= term:
            self.insist(home, mine, term)

    def insist(self, home: Home, mine: Hold, term: float) -> None:
        """Tell of a hold as if it had begun after ``term``."""
        mine.term = max(mine.term, term) + 1
        self._terms.note(home.remote_id, mine.term)
        self.tell(home)

    def end(self, remote_id: str) -> None:
        """It is held elsewhere from now on."""
        self._holds.pop(remote_id, None)

    def forget(self, remote_id: str) -> None:
        """Nothing is known here of a home any more."""
        self._holds.pop(remote_id, None)
        self._told_at.pop(remote_id, None)
        self._senior_told_at.pop(remote_id, None)
