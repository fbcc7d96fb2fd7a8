"""Claims: a connection here wants a Remote ID that nobody holds here; whoever holds it elsewhere decides.

First a node hears the home's subject, then it claims: of two that claim in the same instant, at least one hears the
other. The elder claim goes first; the other one is made again when that one is granted or withdrawn. A holder
judges as it does among its own connections (``Registry.contend``), with a ``RemoteHome`` for the newcomer.
"""

from __future__ import annotations

from dataclasses import dataclass

from ma_signaling.cluster.here import Here
from ma_signaling.cluster.looks import ANSWER_SECONDS
from ma_signaling.cluster.presence import Presence
from ma_signaling.cluster.remote_home import RemoteHome
from ma_signaling.cluster.wire import Fields
from ma_signaling.core.connection import Connection
from ma_signaling.core.home import HomeState
from ma_signaling.core.peer import ClientAddress, Timer

BETTER_ANSWER_SECONDS = 0.25
"""How long a claim waits for better answers after one that says nothing."""

MOST_TRIES = 3
"""Unanswered claims after which the one who should answer counts as dead; should it live, ``Hold.beats`` decides."""

SLACK_SECONDS = 3.0
"""What a holder's check may take beyond the time that it gives the holder."""


@dataclass(slots=True)
class Claim:
    """One that is under way here."""

    remote_id: str
    newcomer: Connection
    fields: Fields
    ask: int
    tries: int = 1
    timer: Timer | None = None
    is_doubtful: bool = False
    """So far nobody has said anything against it."""
    is_judged: bool = False
    """Somebody will decide."""

    @property
    def order(self) -> tuple[float, str]:
        """The least goes first."""
        return self.fields["at"], self.fields["node"]


class Claims:
    """Those of this node, and what it says to those of others."""

    def __init__(self, here: Here, presence: Presence) -> None:
        self._here = here
        self._presence = presence
        self._claims: dict[str, dict[Connection, Claim]] = {}
        self._by_ask: dict[int, Claim] = {}

    def __contains__(self, remote_id: str) -> bool:
        return remote_id in self._claims

    @property
    def is_reachable(self) -> bool:
        """Whether other nodes can be asked now."""
        return self._here.bus.is_up

    def claim(self, remote_id: str, newcomer: Connection) -> None:
        """Ask for a Remote ID for ``newcomer``; whoever else waits for it here has a right of its own, or none."""
        claims = self._claims.setdefault(remote_id, {})
        if newcomer in claims:
            return
        ask = self._here.next_ask()
        fields: Fields = {
            "node": self._here.node,
            "name": newcomer.id,
            "key": newcomer.address.key,
            "shared": newcomer.address.shared,
            "at": self._here.wall(),
        }
        claim = claims[newcomer] = self._by_ask[ask] = Claim(remote_id, newcomer, fields, ask)
        self._presence.sync(remote_id)
        self._send(claim)

    def withdraw(self, remote_id: str, newcomer: Connection) -> None:
        """A newcomer here has left, wants something else, or has had its answer."""
        claim = self._claims.get(remote_id, {}).get(newcomer)
        if claim is not None:
            self._finish(claim)
            self._here.tell_holder(remote_id, "withdrawn", name=newcomer.id)
            self._presence.holdings.disinherit(remote_id)
            self._presence.sync(remote_id)

    def _send(self, claim: Claim) -> None:
        if claim.newcomer.claim != claim.remote_id:
            # Served or refused meanwhile: it must take the Remote ID from nobody.
            self.withdraw(claim.remote_id, claim.newcomer)
            return
        claim.is_doubtful = claim.is_judged = False
        self._wait(claim, ANSWER_SECONDS)
        self._here.tell_holder(claim.remote_id, "claim", claim.ask, **claim.fields)

    def _wait(self, claim: Claim, seconds: float) -> None:
        if claim.timer is not None:
            claim.timer.cancel()
        claim.timer = self._here.clock.callLater(seconds, self._time_is_up, claim)

    def _time_is_up(self, claim: Claim) -> None:
        claim.timer = None
        if claim.is_doubtful:
            self._won(claim)
        elif claim.tries >= MOST_TRIES:
            self._won_by_silence(claim)
        else:
            claim.tries += 1
            self._send(claim)

    # Answers

    def nobody(self, ask: int) -> bool:
        """Nobody hears a claim: it is granted. Returns whether it was one."""
        claim = self._by_ask.get(ask)
        if claim is None:
            return False
        self._won(claim)
        return True

    def hear_granted(self, fields: Fields) -> None:
        """The holder has made way."""
        claim = self._by_ask.get(fields["ask"])
        if claim is None:
            home = self._here.hub.registry.find(fields["r"])
            holder = None if home is None else home.connection
            # Otherwise another one has granted it before.
            if holder is None or holder.id != fields["name"]:
                self._here.tell_watchers(fields["r"], "lost", name=fields["name"])
            return
        if "term" in fields:
            self._presence.holdings.inherit(claim.remote_id, fields)
        self._won(claim, evicting=fields["evicting"])

    def hear_refused(self, fields: Fields) -> None:
        """The holder stays."""
        claim = self._by_ask.get(fields["ask"])
        if claim is not None:
            self._finish(claim)
            if claim.newcomer.claim == claim.remote_id:
                self._here.hub.registry.takeovers.refuse(claim.newcomer)
            self._presence.sync(claim.remote_id)

    def hear_wait(self, fields: Fields) -> None:
        """There is somebody who will decide."""
        claim = self._by_ask.get(fields["ask"])
        if claim is not None:
            claim.is_doubtful, claim.is_judged = False, True
            self._wait(claim, self._here.settings.takeover_timeout + SLACK_SECONDS)

    def hear_nothing(self, fields: Fields) -> None:
        """One who heard the claim has nothing to say against it."""
        claim = self._by_ask.get(fields["ask"])
        if claim is not None and not claim.is_judged and not claim.is_doubtful:
            claim.is_doubtful = True
            self._wait(claim, BETTER_ANSWER_SECONDS)

    def hear_free(self, fields: Fields) -> None:
        """The one who was to decide goes down, and has nothing against it."""
        claim = self._by_ask.get(fields["ask"])
        if claim is not None:
            claim.is_judged = False
            self.hear_nothing(fields)

    def hear_held(self, fields: Fields) -> None:
        """Somebody got what is claimed here, maybe without having heard of it."""
        for claim in list(self._claims.get(fields["remote_id"], {}).values()):
            self._send(claim)

    def down(self) -> None:
        """The bus is away: what is claimed is granted, and judged again when the bus is back (``Hold.beats``)."""
        for ask in list(self._by_ask):
            # One that is granted may end another.
            claim = self._by_ask.get(ask)
            if claim is not None:
                self._won_by_silence(claim)

    def _won_by_silence(self, claim: Claim) -> None:
        """Nobody has decided: as where a holder gives no sign of life."""
        home = self._here.hub.registry.find(claim.remote_id)
        is_held = home is not None and home.connection is not None
        is_owners = home is not None and claim.newcomer.address.is_surely(home.owner)
        self._won(claim, evicting=is_held and not is_owners)

    def _won(self, claim: Claim, *, evicting: bool = False) -> None:
        self._finish(claim)
        registry = self._here.hub.registry
        home = registry.find(claim.remote_id)
        if claim.newcomer.claim != claim.remote_id:
            # It has left meanwhile, or was served otherwise.
            if home is None or home.connection is not claim.newcomer:
                self._here.tell_watchers(claim.remote_id, "lost", name=claim.newcomer.id)
        elif home is not None and home.state is HomeState.LOCAL:
            registry.contend(claim.newcomer, claim.remote_id, registry.takeovers.release(claim.newcomer))
        else:
            registry.award(claim.newcomer, evicting=evicting)
        self._presence.holdings.disinherit(claim.remote_id)
        self._presence.sync(claim.remote_id)

    def _finish(self, claim: Claim) -> None:
        del self._by_ask[claim.ask], self._claims[claim.remote_id][claim.newcomer]
        if not self._claims[claim.remote_id]:
            del self._claims[claim.remote_id]
        if claim.timer is not None:
            claim.timer.cancel()
            claim.timer = None

    # Others' claims

    def hear_claim(self, fields: Fields) -> None:
        """Another node claims a Remote ID."""
        home = self._here.hub.registry.find(fields["r"])
        if home is not None and home.state is HomeState.LOCAL:
            self._judge(fields)
        elif fields["r"] in self._claims:
            self._meet(min(self._claims[fields["r"]].values(), key=lambda own: own.order), fields)
        elif home is not None and home.state is HomeState.AWAY:
            self._judge(fields)
        else:
            mirror = self._presence.mirror_of(fields["r"])
            if mirror is None or not mirror.is_of(fields["node"], fields["name"]):
                self._answer("nothing", fields)
            else:
                # Granted before; the answer was lost.
                self._answer("granted", fields, evicting=False)

    def _judge(self, fields: Fields) -> None:
        """As among connections of this node, which holds the Remote ID or expects its holder back."""
        newcomer = self._newcomer(fields)
        if newcomer.claim is None:
            self._here.hub.registry.contend(newcomer, fields["r"], None)
        if newcomer.claim is not None:
            self._answer("wait", fields)

    def hear_withdrawn(self, fields: Fields) -> None:
        """A newcomer elsewhere has left: its check is over, and those who gave way to it ask again."""
        for newcomer in self._here.hub.registry.takeovers.newcomers(fields["r"]):
            if isinstance(newcomer, RemoteHome) and newcomer.is_of(fields["node"], fields["name"]):
                self._here.hub.registry.takeovers.withdraw(newcomer)
        for claim in list(self._claims.get(fields["r"], {}).values()):
            # Not those that wait for nobody: they would begin anew as often as somebody comes and goes.
            if claim.is_judged:
                self._send(claim)

    def _meet(self, own: Claim, fields: Fields) -> None:
        if own.order < (fields["at"], fields["node"]):
            # It claims anew when it hears that this one was granted or withdrawn.
            self._answer("wait", fields)
        else:
            self._answer("nothing", fields)
            if own.tries < MOST_TRIES:
                own.tries += 1
                self._send(own)

    def _newcomer(self, fields: Fields) -> RemoteHome:
        """What stands here for a newcomer elsewhere: always the same, however often its node asks."""
        for newcomer in self._here.hub.registry.takeovers.newcomers(fields["r"]):
            if isinstance(newcomer, RemoteHome) and newcomer.is_of(fields["node"], fields["name"]):
                newcomer.ask = fields["ask"]
                return newcomer
        address = ClientAddress(fields["key"], fields["key"], fields["shared"])
        return self._presence.make_mirror(fields["r"], fields["node"], fields["name"], address, fields["ask"])

    def granted(self, mirror: RemoteHome, *, evicting: bool) -> None:
        """A newcomer elsewhere has got what this node held or expected back."""
        if mirror.ask:
            self._verdict(
                "granted", mirror, evicting=evicting, **self._presence.holdings.legacy(mirror.home_id)
            )

    def refused(self, mirror: RemoteHome) -> None:
        """As ``Verdicts`` has it."""
        self._verdict("refused", mirror)

    def let_go(self, mirror: RemoteHome) -> None:
        """As ``Verdicts`` has it."""
        self._verdict("free", mirror)

    def _verdict(self, op: str, mirror: RemoteHome, **fields: object) -> None:
        ask, mirror.ask = mirror.ask, 0
        self._here.tell(mirror.node, op, r=mirror.home_id, ask=ask, name=mirror.name, **fields)

    def _answer(self, op: str, fields: Fields, **more: object) -> None:
        self._here.tell(fields["node"], op, r=fields["r"], ask=fields["ask"], name=fields["name"], **more)
