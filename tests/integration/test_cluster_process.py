"""Real nodes and a real NATS server, and what happens when some of them fail.

After each fault every home is found from every node, and nothing is held twice.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack, ExitStack

from twisted.trial.unittest import SynchronousTestCase

from tests.support.cluster_peers import (
    Scenario,
    ask,
    assert_whole,
    found,
    home,
    meet,
    meet_both,
    play,
    reach,
    talk,
)
from tests.support.nats_servers import Cable, NatsServer, node, obstacle, wait_for_nodes, wait_until
from tests.support.webrtc_peers import Client, Home, SignalingError, eventually, loopback_only

HEALED_WITHIN = 5.0
NOTICED_WITHIN = 10.0
OWNER_WITHIN = 30.0
MANY = 2000


class ClusterTestCase(SynchronousTestCase):
    """Some nodes and a NATS server."""

    nodes = 2
    configuration = ""
    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.nats = stack.enter_context(NatsServer(self.configuration))
        self.cables = [stack.enter_context(Cable(self.nats.port)) for _ in range(self.nodes)]
        self.servers = [
            stack.enter_context(node(f"nats://127.0.0.1:{cable.port}", *self.options))
            for cable in self.cables
        ]
        wait_for_nodes(self.servers)

    def play(self, scenario: Scenario) -> None:
        """Run a scenario to its end."""
        play(scenario, self.servers)


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
            for number in range(20):
                # Together they are longer than what NATS takes.
                await client.send("ice-candidate", data=[number, "x" * 2000])
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
        """Both hold the Remote ID, each is asked by its own node, and the one with the key stays."""
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


class NatsTest(ClusterTestCase):
    """NATS itself is gone for a while."""

    def test_away_for_half_a_minute(self) -> None:
        """Pairs on one node go on, what goes across waits, and all is found again soon after its return."""
        first, second = self.servers
        names = [f"HOME{number}" for number in range(MANY)]

        async def scenario(stack: AsyncExitStack) -> None:
            for start in range(0, MANY, 100):
                await asyncio.gather(
                    *(
                        home(stack, first, name, f"10.0.{i % 250}.{start // 100}")
                        for i, name in enumerate(names[start : start + 100])
                    )
                )
            owner = await home(stack, first)
            near, far = await ask(stack, first), await ask(stack, second, address="203.0.113.7")
            ids = await meet_both(owner, near, far)
            await talk(owner, far, ids[far], "before")
            self.nats.stop()
            gone_at = time.monotonic()
            for server in self.servers:
                await eventually(lambda server=server: obstacle(server) == "cluster-unreachable", "degraded")  # type: ignore[misc]
            await talk(owner, near, ids[near], "meanwhile")
            await far.send("ice-candidate", data="held")
            waiting = await ask(stack, second, names[0], "203.0.113.8")
            with self.assertRaises(SignalingError) as refused:
                await waiting.answer("connected", within=30)
            assert str(refused.exception).startswith("Server not found")
            await asyncio.sleep(max(0.0, gone_at + 30 - time.monotonic()))
            self.nats.start()
            async with asyncio.timeout(HEALED_WITHIN):
                # Some of them, for asking takes time as well; all of them below.
                while await found(second, names[::40]) != names[::40]:
                    pass
            await eventually(
                lambda: obstacle(first) is obstacle(second) is None, "ready again", HEALED_WITHIN
            )
            await eventually(lambda: owner.heard("ice-candidate"), "what was held", HEALED_WITHIN)
            await assert_whole(self.servers, [*names, "HOME"])
            await talk(owner, far, ids[far], "after")
            assert not far.heard("peer-disconnected")

        self.play(scenario)

    def test_restarted(self) -> None:
        first, second = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, first)
            client = await ask(stack, second)
            session_id = await meet(owner, client)
            for word in ("once", "twice"):
                self.nats.stop()
                self.nats.start()
                await eventually(
                    lambda: obstacle(first) is obstacle(second) is None, "ready again", HEALED_WITHIN
                )
                await eventually(
                    lambda: second.get("/health")["cluster"]["servers"] == 1, "healed", HEALED_WITHIN
                )
                await talk(owner, client, session_id, word)
            await assert_whole(self.servers)

        self.play(scenario)

    def test_stands_still(self) -> None:
        """It neither answers nor ends its connections: a node notices, however much it has to say."""
        first, second = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, first)
            callers = [await ask(stack, second, address=f"203.0.113.{number}") for number in range(8)]
            ids = await meet_both(owner, *callers)
            os.kill(self.nats.pid, signal.SIGSTOP)
            try:
                for _ in range(8):
                    for caller in callers:
                        await caller.send("ice-candidate", data="x" * 60_000)
                await eventually(lambda: obstacle(second) == "cluster-unreachable", "a node that notices")
            finally:
                os.kill(self.nats.pid, signal.SIGCONT)
            await eventually(lambda: obstacle(first) is obstacle(second) is None, "ready again")
            await eventually(lambda: second.get("/health")["cluster"]["servers"] == 1, "healed")
            await talk(owner, callers[0], ids[callers[0]], "after")
            await assert_whole(self.servers)

        self.play(scenario)

    def test_password_changed_and_changed_back(self) -> None:
        """NATS sends everybody away, and takes nobody in for a while: a node keeps trying."""
        first, second = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, first)
            self.nats.configure('authorization: { token: "another" }\n')
            await eventually(lambda: obstacle(second) == "cluster-unreachable", "a node that is not let in")
            self.nats.configure("")
            await eventually(lambda: obstacle(first) is obstacle(second) is None, "ready again")
            client = await ask(stack, second)
            await talk(owner, client, await meet(owner, client), "after")

        self.play(scenario)

    def test_started_without_it(self) -> None:
        """A node serves its own peers until there is one."""
        self.nats.stop()
        lone = self.enterContext(node(self.nats.url))

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, lone)
            client = await ask(stack, lone)
            await meet(owner, client)
            assert obstacle(lone) == "cluster-unreachable"
            self.nats.start()
            await eventually(lambda: obstacle(lone) is None, "ready")
            await asyncio.to_thread(wait_for_nodes, [*self.servers, lone])
            await assert_whole([*self.servers, lone])

        self.play(scenario)


class SlowConsumerTest(ClusterTestCase):
    """NATS gives up a node that does not read; when it reads again, everything is found again."""

    configuration = 'max_pending: 1MB\nwrite_deadline: "500ms"\n'

    def test_node_stands_still(self) -> None:
        first, second = self.servers

        async def scenario(stack: AsyncExitStack) -> None:
            owner = await home(stack, first)
            callers = [await ask(stack, second, address=f"203.0.113.{number}") for number in range(20)]
            ids = await meet_both(owner, *callers)
            os.kill(first.pid, signal.SIGSTOP)
            try:
                for _ in range(8):
                    for caller in callers:
                        await caller.send("ice-candidate", data="x" * 60_000)
                await asyncio.to_thread(
                    wait_until, lambda: "Slow Consumer" in self.nats.log(), "a slow consumer", 15
                )
            finally:
                os.kill(first.pid, signal.SIGCONT)
            await eventually(lambda: obstacle(first) is None and "Slow" in self.nats.log(), "ready")
            await eventually(lambda: second.get("/health")["cluster"]["servers"] == 1, "healed")
            for caller in callers[:3]:
                await talk(owner, caller, ids[caller], "after")
            await assert_whole(self.servers)

        self.play(scenario)
