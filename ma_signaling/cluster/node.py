"""A node of a cluster: what the heart asks of other nodes, and what they ask of it.

A message's way: ``received`` → presence (who holds what), claims (who may have it), relay (who says what to whom) or
members (who is there) → the heart.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from ma_signaling.cluster.claims import Claims
from ma_signaling.cluster.here import Here
from ma_signaling.cluster.inquiries import Inquiries
from ma_signaling.cluster.members import BEAT_SECONDS, Members
from ma_signaling.cluster.presence import Presence
from ma_signaling.cluster.relay import Relay
from ma_signaling.cluster.remote_home import RemoteHome
from ma_signaling.cluster.wire import EVERYBODY, Bus, Fields, inbox, unpack
from ma_signaling.config.settings import Settings
from ma_signaling.core.connection import Connection
from ma_signaling.core.elsewhere import Elsewhere
from ma_signaling.core.home import Home
from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import ClientAddress, Clock, Timer

SUSPENDED_SECONDS = 5.0
"""A tick that comes so late means that this node stood still, and others may have given it up."""


class Node:
    """One server among several: ``elsewhere`` is for its hub, and it is the ``wire.Listener`` of its bus."""

    def __init__(
        self,
        bus: Bus,
        settings: Settings,
        clock: Clock,
        wall: Callable[[], float],
        name: str = "",
    ) -> None:
        self._here = here = Here(name or token_hex(6), bus, settings, clock, wall)
        self._members = Members(here, self._meet_node, self._lose_node)
        self._presence = Presence(here, self._members.is_whole)
        self._claims = Claims(here, self._presence)
        self._relay = Relay(here, self._presence)
        self._inquiries = Inquiries(here)
        self._presence.messages, self._presence.verdicts = self._relay, self._claims
        self._presence.is_claimed = self._claims.__contains__
        self.elsewhere = Elsewhere(
            directory=self._presence,
            announcements=self,
            claims=self._claims,
            relay=self._relay,
            find_trace=self._inquiries.ask,
            share_block=self._share_block,
            counts=self.counts,
        )
        """What the core of this node asks of the others."""
        self._ticked_at = clock.seconds()
        self._timer: Timer | None = None
        self._plain: dict[str, Callable[[Fields], None]] = {
            "look": self._presence.hear_look,
            "here": self._presence.hear_here,
            "away": self._presence.hear_away,
            "held": self._hear_held,
            "outdated": self._presence.holdings.hear_outdated,
            "evicted": self._presence.hear_evicted,
            "lost": lambda fields: self._presence.hear_gone(fields, goodbye=False),
            "left": lambda fields: self._presence.hear_gone(fields, goodbye=True),
            "claim": self._claims.hear_claim,
            "granted": self._claims.hear_granted,
            "refused": self._claims.hear_refused,
            "wait": self._claims.hear_wait,
            "nothing": self._claims.hear_nothing,
            "free": self._claims.hear_free,
            "withdrawn": self._claims.hear_withdrawn,
            "attach": self._relay.hear_attach,
            "detach": self._relay.hear_detached,
            "busy": self._relay.hear_busy,
            "full": self._relay.hear_full,
            "absent": self._relay.hear_absent,
            "again": self._hear_again,
            "beat": self._members.hear_beat,
            "bye": self._members.hear_bye,
            "block": self._hear_block,
            "inquire": self._inquiries.hear_inquiry,
            "story": self._inquiries.hear_story,
            "senior": self._hear_senior,
        }
        self._with_body = {
            "tell": self._relay.hear_told,
            "said": self._relay.hear_said,
            "ready": self._relay.hear_ready,
            "error": self._relay.hear_error,
        }

    @property
    def name(self) -> str:
        """What other nodes call this one."""
        return self._here.node

    def join(self, hub: Hub) -> None:
        """Be the node of this hub."""
        self._here.hub = hub

    def start(self) -> None:
        """Hear the others, and tend what must be tended."""
        self._here.hear(EVERYBODY, wanted=True)
        self._here.hear(inbox(self.name, "*"), wanted=True)
        self._tick()

    def stop(self) -> None:
        """Go: the others hear so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._members.bye()

    # From the bus

    def received(self, payload: bytes) -> None:
        if self._timer is None:
            # Gone already, as the others were told.
            return
        op, fields, body = unpack(payload)
        if "node" in fields and op != "bye":
            self._members.heard_of(fields["node"])
        if op in self._with_body:
            self._with_body[op](fields, body)
        elif op in self._plain:
            self._plain[op](fields)

    def nobody(self, reply: str) -> None:
        ask = int(reply.rpartition(".")[2])
        if not self._claims.nobody(ask):
            self._presence.looks.nobody(ask)

    def up(self) -> None:
        self._members.reprieve()
        self._members.beat()
        self._presence.holdings.tell_all()
        self._presence.tend()

    def down(self) -> None:
        self._claims.down()
        self._presence.down()

    def _hear_held(self, fields: Fields) -> None:
        self._claims.hear_held(fields)
        self._presence.hear_held(fields)

    def _hear_block(self, fields: Fields) -> None:
        until = self._here.clock.seconds() + fields["seconds"]
        self._here.hub.limits.guessing.block(fields["key"], until)

    def _hear_senior(self, fields: Fields) -> None:
        now = self._here.clock.seconds()
        self._here.hub.registry.seniority.learn(fields["r"], fields["key"], now)

    def _meet_node(self, node: str) -> None:
        # It may have been given up, and its sessions forgotten here.
        self._here.tell(node, "again", node=self.name)

    def _hear_again(self, fields: Fields) -> None:
        for mirror in self._presence.mirrors():
            if mirror.node == fields["node"]:
                self._relay.attach(mirror)

    def _lose_node(self, node: str, goodbye: bool) -> None:
        self._presence.lose_node(node)
        self._relay.lose_node(node, goodbye=goodbye)

    def _tick(self) -> None:
        self._timer = self._here.clock.callLater(BEAT_SECONDS, self._tick)
        now, before = self._here.clock.seconds(), self._ticked_at
        self._ticked_at = now
        if not self._here.bus.is_up:
            self._presence.tend()
            return
        if now - before >= SUSPENDED_SECONDS:
            self.up()
            return
        self._members.beat()
        self._members.bury()
        self._presence.tend()
        self._presence.holdings.repeat(BEAT_SECONDS)

    # For the core

    def granted(self, home: Home, *, evicting: bool, is_new: bool) -> None:
        mirror = home.connection
        if isinstance(mirror, RemoteHome):
            self._relay.handed_on(home)
            if evicting:
                self._presence.holdings.evicted(home)
            self._presence.mirrored(mirror)
            self._claims.granted(mirror, evicting=evicting)
            self._relay.attach(mirror, always=not is_new)
        else:
            self._presence.granted(home, evicting=evicting)

    def refreshed(self, home: Home) -> None:
        self._presence.holdings.tell(home)

    def vacated(self, home: Home, holder: Connection, *, goodbye: bool) -> None:
        self._presence.holdings.vacated(home, holder.id, goodbye=goodbye)

    def dropped(self, home: Home) -> None:
        self._relay.handed_on(home)
        self._presence.dropped(home)

    def senior(self, remote_id: str, owner: ClientAddress) -> None:
        self._here.tell_everybody("senior", r=remote_id, key=owner.key)

    def counts(self) -> dict[str, object]:
        """Return what ``/health`` says about the cluster."""
        return {"cluster": self._members.counts()}

    def _share_block(self, key: str, seconds: float) -> None:
        self._here.tell_everybody("block", key=key, seconds=seconds)
