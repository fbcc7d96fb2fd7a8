"""Real nodes and a real NATS server, with a cable between each node and NATS."""

from __future__ import annotations

from contextlib import ExitStack

from twisted.trial.unittest import SynchronousTestCase

from tests.support.cluster_peers import (
    Scenario,
    play,
)
from tests.support.nats_servers import Cable, NatsServer, node, wait_for_nodes


class ClusterTestCase(SynchronousTestCase):
    """Some nodes and a NATS server."""

    nodes = 2
    configuration = ""
    options: tuple[str, ...] = ()
    options_of_second: tuple[str, ...] = ()
    """Further options of the second node."""

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.nats = stack.enter_context(NatsServer(self.configuration))
        self.cables = [stack.enter_context(Cable(self.nats.port)) for _ in range(self.nodes)]
        self.servers = []
        for number, cable in enumerate(self.cables):
            options = (*self.options, *(self.options_of_second if number == 1 else ()))
            self.servers.append(stack.enter_context(node(f"nats://127.0.0.1:{cable.port}", *options)))
        wait_for_nodes(self.servers)

    def play(self, scenario: Scenario) -> None:
        """Run a scenario to its end."""
        play(scenario, self.servers)
