"""Who holds what: this node's holds, which it tells, and mirrors of homes that others hold.

Nothing is stored anywhere: a node hears the subject of each home that it holds, and who asks there for one that nobody
holds learns so from NATS at once.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from ma_signaling.cluster.here import Here
from ma_signaling.cluster.hold import Hold, Terms
from ma_signaling.cluster.holdings import REPEAT_SECONDS, Holdings
from ma_signaling.cluster.looks import Looks, Told
from ma_signaling.cluster.remote_home import Messages, RemoteHome, Verdicts
from ma_signaling.cluster.wire import Fields, presence, watch
from ma_signaling.core.ending import BREAK, GOODBYE
from ma_signaling.core.home import Home, HomeState
from ma_signaling.core.peer import ClientAddress

VERIFY_SECONDS = REPEAT_SECONDS + 5.0
"""After so many seconds without news of a home elsewhere its node is asked whether it is still there."""


class Presence:
    """What is known of homes here and elsewhere (``elsewhere.Directory`` for the core)."""

    is_clustered = True

    def __init__(self, here: Here, is_whole: Callable[[], bool]) -> None:
        """``is_whole`` says whether all other nodes can be heard, as far as is known."""
        self._here = here
        self._is_whole = is_whole
        self._mirrors: dict[str, RemoteHome] = {}
        self._terms = Terms()
        self.holdings = Holdings(here, self._terms)
        self.looks = Looks(here, self._unknown, is_whole)
        self._watched: set[str] = set()
        """Homes that are elsewhere or away, and matter here."""
        self.messages: Messages
        self.verdicts: Verdicts
        self.is_claimed: Callable[[str], bool]
        """Whether this node has a claim to a Remote ID under way."""

    # Asking

    def look_up(self, remote_id: str) -> None:
        """As ``elsewhere.Directory`` has it."""
        # Even where nobody can be asked now: it is asked for again later, or forgotten.
        self.sync(remote_id)
        self.looks.begin(remote_id)

    def ask_online(self, remote_id: str, told: Told) -> None:
        """As ``elsewhere.Directory`` has it."""
        self.sync(remote_id)
        self.looks.begin(remote_id, told)

    def _unknown(self, remote_id: str) -> None:
        if not self.is_claimed(remote_id):
            self._here.hub.nobody(remote_id, is_sure=self._is_whole())

    def hear_away(self, fields: Fields) -> None:
        """Nobody holds a home, but somebody expects it back: whoever waits for it waits on."""
        self.looks.answered(fields, connected=False)

    def hear_here(self, fields: Fields) -> None:
        """A node holds a home that this one has asked for."""
        self.looks.answered(fields, connected=True)
        self.hear_held(fields)

    def hear_look(self, fields: Fields) -> None:
        """Another node asks for a home."""
        remote_id, node, ask = fields["r"], fields["node"], fields["ask"]
        home = self._here.hub.registry.find(remote_id)
        if home is not None and home.state is HomeState.LOCAL:
            self._here.tell(node, "here", ask=ask, **self.holdings.news(home))
        elif not self.is_claimed(remote_id):
            self._here.tell(node, "away", ask=ask)
        # One who wants it himself knows nothing of it: there may be a holder, who answers.

    # Holding

    def granted(self, home: Home, *, evicting: bool) -> None:
        """A connection here holds a Remote ID: tell everybody."""
        self.holdings.begin(home)
        self._mirrors.pop(home.remote_id, None)
        self.sync(home.remote_id)
        self.holdings.tell(home, evicting=evicting)

    # Watching

    def mirror_of(self, remote_id: str) -> RemoteHome | None:
        """What stands here for a home elsewhere."""
        return self._mirrors.get(remote_id)

    def mirrored(self, mirror: RemoteHome) -> None:
        """A connection elsewhere holds a Remote ID, as far as this node's registry is concerned."""
        self.holdings.end(mirror.home_id)
        self._mirrors[mirror.home_id] = mirror
        mirror.heard_at = self._here.clock.seconds()
        self.sync(mirror.home_id)

    def hear_held(self, fields: Fields) -> None:
        """A node tells that it holds a Remote ID."""
        hold = Hold.parse(fields)
        registry = self._here.hub.registry
        home = registry.find(hold.remote_id)
        if home is None and hold.remote_id not in registry.evicted:
            return
        if home is not None and home.state is HomeState.LOCAL:
            self._settle_conflict(home, hold, fields)
            return
        mirror = self._mirrors.get(hold.remote_id)
        is_same = mirror is not None and mirror.is_of(hold.node, hold.connection)
        if mirror is not None and home is not None and home.connection is not None and is_same:
            mirror.heard_at = self._here.clock.seconds()
            self._terms.note(hold.remote_id, hold.term)
            if "ice" in fields:
                home.keep_ice_servers(_ice(fields))
        elif hold.term >= self._terms.of(hold.remote_id):
            self._follow(hold, fields, evicting=fields["evicting"])
        else:
            # Old news; or its rival, which lost, had told a later term here: then its node must know of that.
            term = self._terms.of(hold.remote_id)
            self._here.tell(hold.node, "outdated", r=hold.remote_id, name=hold.connection, term=term)

    def _follow(self, hold: Hold, fields: Fields, *, evicting: bool) -> None:
        mirror = self._mirrors.get(hold.remote_id)
        if mirror is None or not mirror.is_of(hold.node, hold.connection):
            mirror = self.make_mirror(hold.remote_id, hold.node, hold.connection, hold.address)
        self._terms.note(hold.remote_id, hold.term)
        home = self._here.hub.registry.moved(mirror, hold.remote_id, _ice(fields), evicting=evicting)
        home.held_since = self._here.clock.seconds() - (self._here.wall() - hold.held_since)
        if evicting:
            # Whatever sessions its node knows of here are not its own any more.
            self.messages.attach(mirror, always=True)
        if "ice" not in fields:
            # It was told anew, in short.
            self.look_up(hold.remote_id)

    def make_mirror(
        self, remote_id: str, node: str, name: str, address: ClientAddress, ask: int = 0
    ) -> RemoteHome:
        """What stands here for a connection elsewhere that holds a Remote ID, or wants to."""
        return RemoteHome(remote_id, node, name, address, self.messages, self.verdicts, ask)

    def _settle_conflict(self, home: Home, hold: Hold, fields: Fields) -> None:
        mine = self.holdings.of(home.remote_id)
        assert mine is not None
        if hold.beats(mine):
            self._follow(hold, fields, evicting=not hold.address.is_surely(home.owner))
        else:
            self.holdings.insist(home, mine, hold.term)

    def hear_evicted(self, fields: Fields) -> None:
        """A connection elsewhere has lost a Remote ID to a newcomer, who must not see its sessions."""
        mirror = self._mirrors.get(fields["r"])
        if mirror is not None and mirror.is_of(fields["node"], fields["name"]):
            del self._mirrors[mirror.home_id]
            home = self._here.hub.registry.held_by(mirror)
            if home is not None:
                self._here.hub.registry.evict(home)

    def hear_gone(self, fields: Fields, *, goodbye: bool) -> None:
        """A connection elsewhere has let go of a Remote ID."""
        mirror = self._mirrors.get(fields["r"])
        if mirror is not None and mirror.is_of(fields["node"], fields["name"]):
            self.lose(mirror, goodbye=goodbye)

    def lose(self, mirror: RemoteHome, *, goodbye: bool = False) -> None:
        """A connection elsewhere is gone; its grace begins here."""
        if self._mirrors.get(mirror.home_id) is mirror:
            del self._mirrors[mirror.home_id]
        self._here.hub.end(mirror, GOODBYE if goodbye else BREAK)

    def lose_node(self, node: str | None) -> None:
        """A node is gone, or (None) all are."""
        for mirror in list(self._mirrors.values()):
            if node is None or mirror.node == node:
                self.lose(mirror)

    def mirrors(self) -> list[RemoteHome]:
        """All that stand for homes elsewhere."""
        return list(self._mirrors.values())

    # Keeping up

    def dropped(self, home: Home) -> None:
        """Nothing is known here of a home any more."""
        # Not at once: it may be held again, or remembered otherwise, within the same call.
        self._here.clock.callLater(0, self._forget, home.remote_id)

    def _forget(self, remote_id: str) -> None:
        if self._here.hub.registry.find(remote_id) is None:
            self.holdings.forget(remote_id)
            self._terms.forget(remote_id)
            self._mirrors.pop(remote_id, None)
        self.sync(remote_id)

    def sync(self, remote_id: str) -> None:
        """Hear what must be heard about a Remote ID, and nothing else."""
        registry = self._here.hub.registry
        home = registry.find(remote_id)
        is_here = home is not None and home.state is HomeState.LOCAL
        is_expected = home is not None and home.state is HomeState.AWAY
        self._here.hear(presence(remote_id), is_here or is_expected or self.is_claimed(remote_id))
        is_watched = not is_here and (home is not None or remote_id in registry.evicted)
        self._here.hear(watch(remote_id), is_watched)
        if is_watched:
            self._watched.add(remote_id)
        else:
            self._watched.discard(remote_id)

    def tend(self) -> None:
        """Ask again for homes that are away, and forget those elsewhere that nobody here talks to."""
        registry = self._here.hub.registry
        for remote_id in list(self._watched):
            home = registry.find(remote_id)
            if home is None:
                self.sync(remote_id)
            elif self._is_idle(home):
                registry.forget(home)
            elif not self._here.bus.is_up:
                continue
            elif home.connection is None and self._is_used(home) and not self.is_claimed(remote_id):
                self.look_up(remote_id)
            else:
                self._verify(remote_id)

    def _verify(self, remote_id: str) -> None:
        """Find out whether a home is still elsewhere: that it has left may not have been heard here."""
        mirror, now = self._mirrors.get(remote_id), self._here.clock.seconds()
        if mirror is not None and now - mirror.heard_at >= VERIFY_SECONDS:
            mirror.heard_at = now
            self.messages.attach(mirror, always=True)

    def _is_idle(self, home: Home) -> bool:
        is_elsewhere = home.state in (HomeState.REMOTE, HomeState.LOOKED_UP)
        is_evicted = home.remote_id in self._here.hub.registry.evicted
        return is_elsewhere and not is_evicted and not self._is_used(home)

    def _is_used(self, home: Home) -> bool:
        return bool(self._here.hub.sessions.of(home))

    def down(self) -> None:
        """The bus is away."""
        self.looks.give_up()
        self.lose_node(None)


def _ice(fields: Fields) -> bytes | None:
    ice = fields.get("ice")
    return None if ice is None else orjson.dumps(ice)
