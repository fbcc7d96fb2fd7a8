"""A node of a cluster and its bus, as a service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ma_signaling.cluster.node import Node
from ma_signaling.config.declaration import CannotStart
from ma_signaling.config.settings import Settings
from ma_signaling.monitoring.metric import Kind, Metric, gauge

if TYPE_CHECKING:
    from ma_signaling.cluster.nats_bus import NatsBus


def make_bus(settings: Settings) -> NatsBus:
    """Return the bus. Raises ``CannotStart`` if something that it needs is missing."""
    try:
        from ma_signaling.cluster.nats_bus import NatsBus  # noqa: PLC0415 - it needs an extra
    except ImportError:
        raise CannotStart("--nats-url needs nats-py: pip install 'ma-signaling[cluster]'") from None
    return NatsBus(settings)


class ClusterService(Service):
    """Starts with the server, and stops when its peers' connections have been closed."""

    def __init__(self, settings: Settings, reactor: IReactorTime) -> None:
        """Raises ``CannotStart`` if a cluster can't be joined in this way."""
        if not isinstance(reactor, AsyncioSelectorReactor):
            raise CannotStart(
                "--nats-url needs Twisted's asyncio reactor: twistd --reactor=asyncio ma-signaling ..."
                " (the ma-signaling command does so by itself)"
            )
        self._reactor = reactor
        self.bus = make_bus(settings)
        self.node = self.bus.listener = Node(self.bus, settings, reactor, time.time)

    def startService(self) -> None:
        super().startService()
        # The loop doesn't run yet when a reactor starts its services.
        self._reactor.callLater(0, self._begin)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.node.stop()
        return Deferred.fromFuture(asyncio.ensure_future(self.bus.end()))

    def metrics(self) -> Iterator[Metric]:
        """Return the metrics of the cluster."""
        counts: Any = self.node.counts()["cluster"]
        yield gauge("cluster_reachable", "Whether this node hears NATS", float(self.bus.is_up))
        yield gauge("cluster_nodes", "Nodes that this one knows of, itself included", counts["nodes"])
        messages = {("in",): self.bus.messages_in, ("out",): self.bus.messages_out, ("lost",): self.bus.lost}
        yield Metric(Kind.COUNTER, "cluster_messages", "Messages between nodes", ("direction",), messages)

    def _begin(self) -> None:
        self.node.start()
        self.bus.begin()
