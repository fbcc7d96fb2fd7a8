"""A node of a cluster and its bus, as a service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ma_signaling.cluster.nats_bus import NatsBus
from ma_signaling.cluster.node import Node
from ma_signaling.config.settings import Settings
from ma_signaling.monitoring.metric import Kind, Metric, gauge


class ClusterService(Service):
    """Starts with the server, and stops when its peers' connections have been closed."""

    def __init__(self, settings: Settings, reactor: IReactorTime) -> None:
        """Raises ``CannotStart`` if a file of the settings won't do."""
        self.bus = NatsBus(settings, reactor)
        self.node = self.bus.listener = Node(self.bus, settings, reactor, time.time)

    def startService(self) -> None:
        super().startService()
        self.node.start()
        self.bus.begin()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.node.stop()
        return self.bus.end()

    def metrics(self) -> Iterator[Metric]:
        """Return the metrics of the cluster."""
        counts: Any = self.node.counts()["cluster"]
        yield gauge("cluster_reachable", "Whether this node hears NATS", float(self.bus.is_up))
        yield gauge("cluster_nodes", "Nodes that this one knows of, itself included", counts["nodes"])
        messages = {
            ("in",): self.bus.messages_in,
            ("out",): self.bus.messages_out,
            ("lost",): self.bus.messages_lost,
        }
        yield Metric(Kind.COUNTER, "cluster_messages", "Messages between nodes", ("direction",), messages)
