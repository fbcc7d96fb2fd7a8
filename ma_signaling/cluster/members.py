"""The nodes of the cluster: each sends a beat every two seconds, and one that falls silent counts as dead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ma_signaling.cluster.context import Context
from ma_signaling.cluster.messages.nodes import Beat, Bye
from ma_signaling.core.peer import NEVER
from ma_signaling.core.run_all import run_all

BEAT_SECONDS = 2.0
DEAD_SECONDS = 7.0
"""After so many seconds of silence a node counts as dead: three beats may get lost."""

LATE_SECONDS = 2.5
"""After so many seconds of silence a node may be gone: it has missed a beat."""

UNSURE_SECONDS = 60.0
"""How long a lost node's homes may be on their way to another node, or still be connected to the lost one, unheard."""


@dataclass(slots=True)
class Member:
    """Another node."""

    heard_at: float
    counts: dict[str, int]
    can_ask: bool = False
    """Whether it can itself ask for proof."""


class Members:
    """The other nodes."""

    def __init__(
        self,
        context: Context,
        met: Callable[[str], None],
        lost: Callable[[str, bool], None],
        can_ask: Callable[[], bool],
    ) -> None:
        """``met`` is called with a node that was unknown or given up, ``lost`` with one that is gone.

        The second argument of ``lost`` says whether the node said goodbye. ``can_ask`` returns whether this node can
        itself ask for proof.
        """
        self._context = context
        self._met = met
        self._lost = lost
        self._can_ask = can_ask
        self._members: dict[str, Member] = {}
        self._missed_at = NEVER
        """When a node was last given up or said goodbye, or this one last heard nobody."""
        context.on(Beat, self._on_beat)
        context.on(Bye, self._on_bye)

    def send_beat(self) -> None:
        """Tell all nodes that this one lives."""
        beat = Beat(counts=self._context.hub.own_counts(), can_ask=self._can_ask())
        self._context.send_to_all(beat)

    def send_bye(self) -> None:
        """Tell all nodes that this one is going."""
        self._context.send_to_all(Bye())

    def heard_from(self, node: str) -> None:
        """Note that another node lives, since it has sent something."""
        now, member = self._context.clock.seconds(), self._members.get(node)
        if member is not None:
            member.heard_at = now
        else:
            self._members[node] = Member(now, {})
            self._met(node)

    def give_up_silent(self) -> None:
        """Give up the nodes that have fallen silent."""
        oldest = self._context.clock.seconds() - DEAD_SECONDS
        silent = [node for node, member in self._members.items() if member.heard_at < oldest]
        for node in silent:
            del self._members[node]
            self._missed_at = self._context.clock.seconds()
        run_all(partial(self._lost, node, False) for node in silent)

    def that_can_ask(self) -> list[str]:
        """Return the other nodes that can themselves ask for proof."""
        return [node for node, member in self._members.items() if member.can_ask]

    def unsure_for(self) -> float:
        """Return for how many more seconds a home that no node knows may turn up, 0 if no node is missing."""
        now = self._context.clock.seconds()
        if any(now - member.heard_at > LATE_SECONDS for member in self._members.values()):
            return UNSURE_SECONDS
        return max(0.0, self._missed_at + UNSURE_SECONDS - now)

    def give_time(self) -> None:
        """Start the silence of all nodes anew, since this node could hear nobody for a while."""
        self._missed_at = self._context.clock.seconds()
        for member in self._members.values():
            member.heard_at = self._missed_at

    def counts(self) -> dict[str, int]:
        """Return the sums of all nodes' numbers, and the number of nodes as ``nodes``."""
        own = self._context.hub.own_counts()
        every = [own, *(member.counts for member in self._members.values())]
        return {"nodes": len(every), **{name: sum(each.get(name, 0) for each in every) for name in own}}

    def _on_beat(self, message: Beat) -> None:
        member = self._members[message.sender]
        member.counts, member.can_ask = message.counts, message.can_ask

    def _on_bye(self, message: Bye) -> None:
        self._members.pop(message.sender, None)
        self._missed_at = self._context.clock.seconds()
        self._lost(message.sender, True)
