"""The recipes for a cluster: `make cluster`, and NATS on three machines."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack, ExitStack
from typing import IO

from twisted.trial.unittest import SynchronousTestCase

from tests import ROOT
from tests.support.cluster_peers import ask, assert_whole, home, meet, play, talk
from tests.support.free_ports import free_port
from tests.support.nats_servers import NatsServer, node, wait_for_nodes, wait_until
from tests.support.proxy_processes import replaced
from tests.support.server_process import OPENER, child_environment, end

CONFIGURATION = ROOT / "contrib" / "nats" / "nats-server.conf"
WITHIN = 40.0


def free_pair() -> int:
    """A port that nobody listens on, nor on the one after it."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


class LocalClusterTest(SynchronousTestCase):
    """What `make cluster` starts."""

    def test_until_interrupted(self) -> None:
        environment = {**child_environment(), "PORT": f"{free_pair()}", "NATS_PORT": f"{free_port()}"}
        command = [sys.executable, str(ROOT / "contrib" / "local_cluster.py")]
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.DEVNULL, text=True
            )
            # Not killed: nobody else ends what it has started, which are groups of their own.
            self.addCleanup(end, process)
            wait_until(lambda: len(self.urls(process, output)) == 2, "two nodes that are ready", WITHIN)
            urls = self.urls(process, output)
        for url in urls:
            wait_until(lambda url=url: '"nodes":2' in self.health(url), "two nodes")
        # make passes on what has come to all.
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        assert process.wait(WITHIN) == 0
        for url in urls:
            with self.assertRaises(OSError):
                self.health(url)

    def urls(self, process: subprocess.Popen[str], output: IO[str]) -> list[str]:
        """What it has printed of its nodes; read without moving the position, which is the child's too."""
        assert process.poll() is None, "it ended"
        return re.findall(r"^  (http\S+) ", os.pread(output.fileno(), 65536, 0).decode(), re.MULTILINE)

    def health(self, url: str) -> str:
        with OPENER.open(url + "health", timeout=5) as reply:
            text: str = reply.read().decode()
            return text


class ThreeMachinesTest(SynchronousTestCase):
    """Each machine's node at its own NATS, with the configuration of the recipe."""

    def test_one_machine_is_lost(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        machines = [
            (nats, stack.enter_context(node(nats.url)))
            for nats in (stack.enter_context(NatsServer(each)) for each in self.configurations())
        ]
        servers = [server for _, server in machines]
        wait_for_nodes(servers, WITHIN)

        async def scenario(peers: AsyncExitStack) -> None:
            owners = [await home(peers, server, f"HOME{i}") for i, server in enumerate(servers)]
            await assert_whole(servers, ["HOME0", "HOME1", "HOME2"])
            client = await ask(peers, servers[1], "HOME2")
            session_id = await meet(owners[2], client)
            await talk(owners[2], client, session_id, "before")
            nats, server = machines[0]
            nats.stop()
            server.stop(signal.SIGKILL)
            await talk(owners[2], client, session_id, "after")
            moved = await home(peers, servers[2], "HOME0")
            await assert_whole(servers[1:], ["HOME0", "HOME1", "HOME2"])
            another = await ask(peers, servers[1], "HOME0", "203.0.113.5")
            await talk(moved, another, await meet(moved, another), "at last")

        play(scenario, servers)

    def configurations(self) -> list[str]:
        """The recipe's file, for three servers on one machine."""
        text = CONFIGURATION.read_text(encoding="utf-8")
        routes = [free_port() for _ in range(3)]
        machines = {f"10.0.0.{i + 1}:6222": f"127.0.0.1:{route}" for i, route in enumerate(routes)}
        local = {'listen: "127.0.0.1:4222"\n': "", 'http: "127.0.0.1:8222"\n': ""}
        return [
            replaced(
                text,
                {**local, 'listen: "10.0.0.1:6222"': f'listen: "127.0.0.1:{route}"', **machines},
            )
            for route in routes
        ]
