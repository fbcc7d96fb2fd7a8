"""The Twisted service that runs a node of a cluster and its bus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ma_signaling.cluster.guest_loop import GuestLoop
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings
from ma_signaling.monitoring.metric import Kind, Metric, gauge

try:
    from ma_signaling.cluster.nats_bus import NatsBus
    from ma_signaling.cluster.node import Node
except ImportError:
    raise CannotStart("--nats-url needs the extra cluster: pip install 'ma-signaling[cluster]'") from None


def make_bus(settings: Settings) -> NatsBus:
    """Return the bus. Raises ``CannotStart`` if one of its settings can't be used."""
    return NatsBus(settings)


class ClusterService(Service):
    """Runs from the server's start until its peers' connections have been closed."""

    def __init__(self, settings: Settings, reactor: IReactorTime) -> None:
        """Raises ``CannotStart`` as ``make_bus`` does."""
        self._reactor: Any = reactor
        self._loop: asyncio.AbstractEventLoop | None = None
        self.bus = make_bus(settings)
        self.node = self.bus.listener = Node(self.bus, settings, reactor, time.time)

    def startService(self) -> None:
        super().startService()
        # Later, since the reactor doesn't run yet when it starts its services.
        self._reactor.callLater(0, self._begin)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.node.stop()
        if self._loop is None:
            return succeed(None)
        done = Deferred.fromFuture(self._loop.create_task(self.bus.end()))
        # ``done`` may fire within a turn of the loop, during which the loop can't be closed.
        return done.addCallback(lambda _: deferLater(self._reactor, 0, self._leave))

    def metrics(self) -> Iterator[Metric]:
        """Return the metrics of the cluster."""
        counts: Any = self.node.counts()["cluster"]
        yield gauge("cluster_reachable", "Whether this node hears NATS", float(self.bus.is_up))
        yield gauge("cluster_nodes", "Nodes that this one knows of, itself included", counts["nodes"])
        messages = {("in",): self.bus.messages_in, ("out",): self.bus.messages_out, ("lost",): self.bus.lost}
        yield Metric(Kind.COUNTER, "cluster_messages", "Messages between nodes", ("direction",), messages)

    def _begin(self) -> None:
        self.node.start()
        try:
            # On Twisted's asyncio reactor, a loop already runs.
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = GuestLoop(self._reactor)
        self.bus.begin(self._loop)

    def _leave(self) -> None:
        if isinstance(self._loop, GuestLoop):
            self._loop.close()
