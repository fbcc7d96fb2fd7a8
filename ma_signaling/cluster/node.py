"""A node of a cluster: puts its parts together, and keeps them running.

The way of a message: ``received`` → ``Context.dispatch`` → the part that handles its class → the core. The parts
are ``Directory`` (which node holds which Remote ID), ``Claims`` and ``Judge`` (who gets it), ``Relay`` (messages of
peers), ``Provers`` (proofs in another node's place), ``TraceQuestions`` and ``Members`` (which nodes there are).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from secrets import token_hex

from ma_signaling.cluster.bus import ALL_NODES, Bus, node_subject
from ma_signaling.cluster.claims import Claims
from ma_signaling.cluster.context import Context
from ma_signaling.cluster.directory import Directory
from ma_signaling.cluster.judge import Judge
from ma_signaling.cluster.members import BEAT_SECONDS, Members
from ma_signaling.cluster.messages.nodes import Block, Bye, MetAgain
from ma_signaling.cluster.messages.packing import unpack
from ma_signaling.cluster.provers import Provers
from ma_signaling.cluster.questions import TraceQuestions
from ma_signaling.cluster.relay import Relay
from ma_signaling.cluster.remote_home import RemoteHome
from ma_signaling.config.settings import Settings
from ma_signaling.core.connection import Connection
from ma_signaling.core.home import Home
from ma_signaling.core.hub import Hub
from ma_signaling.core.other_nodes import Elsewhere
from ma_signaling.core.peer import Clock, Timer
from ma_signaling.core.prover import Prover
from ma_signaling.core.run_all import run_all


class Node:
    """One server of a cluster: gives its hub ``elsewhere``, and is the ``bus.Listener`` of its bus."""

    def __init__(
        self,
        bus: Bus,
        settings: Settings,
        clock: Clock,
        wall: Callable[[], float],
        name: str = "",
    ) -> None:
        self._context = context = Context(name or token_hex(6), bus, settings, clock, wall)
        self._members = Members(context, self._met, self._lost, lambda: self._provers.own.obstacle is None)
        self._provers = Provers(context, self._members.that_can_ask)
        self._directory = Directory(context, self._members.unsure_for)
        self._claims = Claims(context, self._directory)
        self._relay = Relay(context, self._directory)
        self._judge = Judge(context, self._directory, self._claims)
        self._directory.messages, self._directory.claims = self._relay.client_end, self._claims
        context.on(Block, self._on_block)
        self._timer: Timer | None = None
        self.elsewhere = Elsewhere(
            directory=self._directory,
            announcements=self,
            claims=self._claims,
            relay=self._relay,
            find_trace=TraceQuestions(context).ask,
            share_block=self._share_block,
            counts=self.counts,
        )
        """The other nodes, for this node's hub."""

    @property
    def name(self) -> str:
        """The name by which other nodes know this one."""
        return self._context.node

    def prover(self, own: Prover) -> Prover:
        """Return the prover for this node's hub: ``own``, or another node's where ``own`` can't ask."""
        self._provers.own = own
        return self._provers

    def join(self, hub: Hub) -> None:
        """Set the hub of this node; call it before ``start``."""
        self._context.hub = hub

    def start(self) -> None:
        """Subscribe to messages for this node, and begin the periodic work."""
        self._context.subscribe(ALL_NODES)
        self._context.subscribe(node_subject(self.name, "*"))
        self._tick()

    def stop(self) -> None:
        """Leave the cluster, and tell the other nodes so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._members.send_bye()

    def counts(self) -> dict[str, object]:
        """Return what ``/health`` says about the cluster."""
        return {"cluster": self._members.counts()}

    # From the bus

    def received(self, payload: bytes) -> None:
        """Implements ``bus.Listener.received``."""
        if self._timer is None:
            # This node has left the cluster, and has told the others so.
            return
        message, bodies = unpack(payload)
        if not isinstance(message, Bye):
            self._members.heard_from(message.sender)
        self._context.dispatch(message, bodies)

    def no_subscribers(self, reply: str) -> None:
        """Implements ``bus.Listener.no_subscribers``."""
        self._context.no_subscribers(reply)

    def up(self) -> None:
        """Implements ``bus.Listener.up``."""
        registrations = self._directory.registrations
        self._members.give_time()
        self._relay.up()
        run_all((self._members.send_beat, registrations.announce_all, self._directory.tend))

    def down(self) -> None:
        """Implements ``bus.Listener.down``."""
        run_all(
            (
                partial(self._provers.lose_node, None),
                partial(self._judge.lose_node, None),
                self._claims.down,
                self._directory.down,
            )
        )

    def _met(self, node: str) -> None:
        # This node may have given that node up, and forgotten its sessions.
        self._context.send(node, MetAgain())

    def _lost(self, node: str, goodbye: bool) -> None:
        run_all(
            (
                partial(self._provers.lose_node, node),
                partial(self._judge.lose_node, node),
                partial(self._directory.lose_node, node),
                partial(self._relay.lose_node, node, goodbye=goodbye),
            )
        )

    def _tick(self) -> None:
        self._timer = self._context.clock.callLater(BEAT_SECONDS, self._tick)
        due: list[Callable[[], None]] = [self._relay.tend, self._directory.tend]
        if self._context.bus.is_up:
            repeat = partial(self._directory.registrations.repeat, BEAT_SECONDS)
            due += (self._members.send_beat, self._members.give_up_silent, self._relay.end_unrenewed, repeat)
        run_all(due)

    # Blocks, which all nodes share

    def _share_block(self, key: str, seconds: float) -> None:
        self._context.send_to_all(Block(address=key, seconds=seconds))

    def _on_block(self, message: Block) -> None:
        until = self._context.clock.seconds() + message.seconds
        self._context.hub.limits.guessing.block(message.address, until)

    # Announcements of the core

    def granted(self, home: Home, *, is_new: bool) -> None:
        """Implements ``other_nodes.Announcements.granted``."""
        holder = home.connection
        if isinstance(holder, RemoteHome):
            self._relay.handed_on(home)
            self._directory.granted_elsewhere(holder)
            self._relay.client_end.attach(holder, always=not is_new)
        else:
            self._directory.granted(home)

    def confirmed(self, home: Home) -> None:
        """Implements ``other_nodes.Announcements.confirmed``."""
        self._directory.registrations.confirmed(home)

    def refreshed(self, home: Home) -> None:
        """Implements ``other_nodes.Announcements.refreshed``."""
        self._directory.registrations.announce(home)

    def wait_for_proof(self, home: Home) -> None:
        """Implements ``other_nodes.Announcements.wait_for_proof``."""
        self._directory.wait_for_proof(home)

    def vacated(self, home: Home, holder: Connection, *, goodbye: bool) -> None:
        """Implements ``other_nodes.Announcements.vacated``."""
        self._directory.registrations.vacated(home, holder.id, goodbye=goodbye)

    def dropped(self, home: Home) -> None:
        """Implements ``other_nodes.Announcements.dropped``."""
        self._relay.handed_on(home)
        self._directory.dropped(home)
