"""Real nodes whose NATS server is away, restarts, stands still or is slow; homes are found again afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack

from ma_signaling.cluster.members import DEAD_SECONDS
from ma_signaling.testing import SignalingError, eventually
from tests.support.cluster_case import ClusterTestCase
from tests.support.cluster_peers import (
    ask,
    assert_whole,
    found,
    home,
    meet,
    meet_both,
    talk,
)
from tests.support.nats_servers import node, obstacle, wait_for_nodes, wait_until

AWAY_SECONDS = 2 * DEAD_SECONDS
"""Each node takes the other one for dead."""

HEALED_WITHIN = 20.0
"""A third of the time after which a node repeats what it holds, unasked."""

MANY = 500


class NatsTest(ClusterTestCase):
    """NATS itself is gone for a while."""

    # What waits for a home that is nowhere to be found is refused before NATS returns.
    options = ("--park", "5")

    def test_away_for_long(self) -> None:
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
            await asyncio.sleep(max(0.0, gone_at + AWAY_SECONDS - time.monotonic()))
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
            # What is said before an answer is kept, within bounds.
            for caller in callers:
                await talk(owner, caller, ids[caller], "before")
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
            # What is said before an answer is kept, within bounds.
            for caller in callers:
                await talk(owner, caller, ids[caller], "before")
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
            await eventually(lambda: "NATS is unreachable" in first.log(), "a node that has noticed")
            await eventually(lambda: obstacle(first) is None, "ready")
            await eventually(lambda: second.get("/health")["cluster"]["servers"] == 1, "healed")
            for caller in callers[:3]:
                await talk(owner, caller, ids[caller], "after")
            await assert_whole(self.servers)

        self.play(scenario)
