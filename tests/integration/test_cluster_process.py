"""Real nodes and a real NATS server, and what happens when some of them fail.

After each fault every home is found from every node, and nothing is held twice.
"""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack

from ma_signaling.testing import Client, Home, SignalingError, eventually, loopback_only
from tests.support.cluster_case import ClusterTestCase
from tests.support.cluster_peers import (
    ask,
    assert_whole,
    home,
    meet,
    reach,
    talk,
)
from tests.support.nats_servers import obstacle

NOTICED_WITHIN = 20.0
"""A node is silent for 7 s before it is taken for dead."""

OWNER_WITHIN = 30.0


class SmallPayloadTest(ClusterTestCase):
    """NATS takes less than the longest message of a peer."""

    configuration = "max_payload: 16384\n"

    def test_long_message(self) -> None:
        """It is lost, and logged once; the connection to NATS is not."""
        first, second = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, first)
            client = await ask(stack, second)
            session_id = await meet(owner, client)
            for _ in range(2):
                await client.send("offer", data="x" * 40_000)
            # So that the candidates come by one read.
            os.kill(second.pid, signal.SIGSTOP)
            try:
                for number in range(20):
                    # Together they are longer than what NATS takes.
                    await client.send("ice-candidate", data=[number, "x" * 2000])
            finally:
                os.kill(second.pid, signal.SIGCONT)
            await eventually(lambda: len(owner.heard("ice-candidate")) == 20, "what is short enough")
            assert not owner.heard("offer")
            await talk(owner, client, session_id, "short")

        self.play(scenario)
        log = second.log()
        assert log.count("NATS takes 16384 bytes a message") == 1, log
        assert "NATS is unreachable" not in log + first.log(), log


class FaultTest(ClusterTestCase):
    """One thing breaks, and is mended."""

    nodes = 3
    options = ("--proof-networks", "127.0.0.1/32")
    options_of_second = ("--proof", "off")

    def test_node_is_killed(self) -> None:
        """It is noticed; homes come back elsewhere within the grace, and nobody has been told."""
        first, second, third = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, first)
            client = await ask(stack, second)
            session_id = await meet(owner, client)
            await talk(owner, client, session_id, "before")
            first.stop(signal.SIGKILL)
            await eventually(
                lambda: second.get("/health")["cluster"]["nodes"] == 2, "the death noticed", NOTICED_WITHIN
            )
            waiting = await ask(stack, second, address="203.0.113.5")
            await client.send("ice-candidate", data="meanwhile")
            await waiting.send("ping")
            await waiting.answer("pong")
            assert not waiting.errors
            assert not waiting.heard("error")
            back = await home(stack, third)
            await eventually(lambda: back.heard("ice-candidate"), "what was said meanwhile")
            await meet(back, waiting)
            await talk(back, client, session_id, "after")
            assert not client.heard("peer-disconnected")
            await assert_whole([second, third])

        self.play(scenario)

    def test_home_moves_while_its_node_is_cut_off(self) -> None:
        """Where proof can't be had, the elder one stays, as it lives; the other is closed with 1013, and comes back."""
        first, second, third = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, first)
            client = await ask(stack, third)
            session_id = await meet(owner, client)
            await talk(owner, client, session_id, "before")
            self.cables[0].cut()
            await eventually(
                lambda: obstacle(first) == "cluster-unreachable", "a node that knows it is cut off"
            )
            moved = await home(stack, second)
            await reach(moved, client)
            await talk(moved, client, session_id, "behind its back")
            self.cables[0].mend()
            await eventually(
                lambda: moved.close_code is not None, "the younger connection's end", NOTICED_WITHIN
            )
            assert moved.close_code == 1013
            assert [message["code"] for message in moved.heard("error")] == ["remote-id-taken"]
            assert owner.close_code is None
            await eventually(lambda: obstacle(first) is None, "a node that is ready")
            await assert_whole(self.servers)
            await reach(owner, client)
            await talk(owner, client, session_id, "after")

        self.play(scenario)

    def test_squatter_while_its_node_is_cut_off(self) -> None:
        """Both hold the Remote ID, and the one with the key stays, which a node asks that can: its own can't."""
        first, second, third = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = Home(second.url)
            squatter = await stack.enter_async_context(Home(first.url, remote_id=owner.remote_id))
            await squatter.start()
            self.cables[0].cut()
            await eventually(
                lambda: obstacle(first) == "cluster-unreachable", "a node that knows it is cut off"
            )
            await stack.enter_async_context(owner)
            await owner.start()
            self.cables[0].mend()
            await eventually(lambda: squatter.close_code is not None, "the squatter's end", OWNER_WITHIN)
            assert squatter.close_code == 1013
            assert owner.close_code is None
            await assert_whole(self.servers, [owner.remote_id])
            client = await stack.enter_async_context(
                Client(third.url, owner.remote_id, use_ice_servers=False)
            )
            await client.connect()
            assert await client.ask("hello") == "home heard: hello"

        with loopback_only():
            self.play(scenario)


class AwayTest(ClusterTestCase):
    """A home that does not come back."""

    options = ("--park", "2")

    def test_node_is_killed(self) -> None:
        """Who waits for its home is answered in time."""
        first, second = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, first)
            client = await ask(stack, second)
            await eventually(lambda: owner.heard("client-connected"), "an announcement")
            first.stop(signal.SIGKILL)
            with self.assertRaises(SignalingError) as refused:
                await client.answer("connected", within=30)
            assert str(refused.exception).startswith("Server not found")

        self.play(scenario)
