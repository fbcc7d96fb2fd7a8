"""This node, as all parts of the cluster's code see it: its name, its hub, and the way to other nodes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from ma_signaling.cluster.wire import EVERYBODY, Bus, inbox, pack, presence, watch
from ma_signaling.config.settings import Settings
from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import Clock


class Here:
    """Passed to every part; ``hub`` is there before anything is heard."""

    hub: Hub

    def __init__(
        self, node: str, bus: Bus, settings: Settings, clock: Clock, wall: Callable[[], float]
    ) -> None:
        self.node = node
        self.bus = bus
        self.settings = settings
        self.clock = clock
        self.wall = wall
        self._asks = count(1)
        self._subjects: set[str] = set()

    def next_ask(self) -> int:
        """A number for a question."""
        return next(self._asks)

    def tell(self, node: str, op: str, body: bytes = b"", /, **fields: Any) -> None:
        """Say something to one node."""
        self.bus.publish(inbox(node), pack(op, fields, body))

    def tell_holder(self, remote_id: str, op: str, ask: int = 0, /, **fields: Any) -> None:
        """Say something to whoever holds a Remote ID or expects it back; ``ask``: and hear if there is nobody."""
        payload = pack(op, {"r": remote_id, "node": self.node, "ask": ask, **fields})
        self.bus.publish(presence(remote_id), payload, inbox(self.node, ask) if ask else "")

    def tell_watchers(self, remote_id: str, op: str, /, **fields: Any) -> None:
        """Say something to the nodes that have sessions with a home that is elsewhere."""
        self.bus.publish(watch(remote_id), pack(op, {"r": remote_id, "node": self.node, **fields}))

    def tell_everybody(self, op: str, /, **fields: Any) -> None:
        """Say something to all nodes."""
        self.bus.publish(EVERYBODY, pack(op, {"node": self.node, **fields}))

    def hear(self, subject: str, wanted: bool) -> None:
        """Hear what is sent to a subject, or hear it no more."""
        if wanted and subject not in self._subjects:
            self._subjects.add(subject)
            self.bus.subscribe(subject)
        elif not wanted and subject in self._subjects:
            self._subjects.remove(subject)
            self.bus.unsubscribe(subject)
