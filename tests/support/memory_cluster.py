"""Several nodes in memory, with one clock, on a bus as faulty as a test wants it: slow, lossy, or partitioned.

The bus is like NATS: messages of one node arrive in order, those of two nodes in any order. A message goes to the nodes
that have subscribed when it reaches the server, and its sender is told if there are none.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from ma_signaling.cluster.messages.packing import unpack
from ma_signaling.cluster.node import Node
from ma_signaling.config.settings import Settings
from ma_signaling.core.home import HomeState
from tests.support.fake_clock import FakeClock, FakeTimer
from tests.support.fake_prover import FakeProver
from tests.support.memory_hub import FakePeer, World


class Server:
    """The NATS server: knows which node has subscribed to what."""

    def __init__(self, clock: FakeClock, seed: int = 0, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.clock = clock
        self.latency = latency
        self.loss = 0.0
        """The share of messages (not of subscriptions) that never arrive."""
        self.lose: Callable[[str, str], bool] = lambda op, subject: False
        """Whether to lose a message, by its operation and subject."""
        self.lines: list[Line] = []
        self.sent: list[tuple[str, str]] = []
        """The subjects and operations of all messages that arrived here."""
        self._random = random.Random(seed)

    def delay(self) -> float:
        """Return how long the next message takes, one way."""
        return self._random.uniform(*self.latency)

    def publish(self, sender: Line, subject: str, payload: bytes, reply: str) -> None:
        """Deliver a message that has reached the server."""
        op = str(unpack(payload)[0].__struct_config__.tag)
        self.sent.append((subject, op))
        if self._random.random() < self.loss or self.lose(op, subject):
            return
        near = [line for line in self.lines if line is not sender and line.side == sender.side]
        hearing = [line for line in near if line.hears(subject)]
        for line in hearing:
            line.deliver(partial(line.node.received, payload))
        if reply and not hearing:
            sender.deliver(partial(sender.node.no_subscribers, reply))


class Line:
    """One node's connection to the server (``cluster.bus.Bus``)."""

    node: Node

    def __init__(self, server: Server) -> None:
        self.server = server
        server.lines.append(self)
        self.is_up = True
        self.max_batch_bytes = 1 << 18
        self.is_dead = False
        self.is_cut = False
        """Whether nothing comes through."""
        self.side = 0
        """In a partition of the NATS servers, the part that it is connected to. No node notices a partition."""
        self.wanted: set[str] = set()
        self._subscribed: set[str] = set()
        self._generation = 0
        self._sent_until = self._heard_until = 0.0

    # From the node

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        self._send(lambda: self.server.publish(self, subject, payload, reply))

    def subscribe(self, subject: str) -> None:
        assert subject not in self.wanted
        self.wanted.add(subject)
        self._send(lambda: self._subscribed.add(subject))

    def unsubscribe(self, subject: str) -> None:
        self.wanted.remove(subject)
        self._send(lambda: self._subscribed.discard(subject))

    # From the server

    def hears(self, subject: str) -> bool:
        """Return whether the server sends it messages for this subject."""
        return subject in self._subscribed or subject.rpartition(".")[0] + ".*" in self._subscribed

    def deliver(self, call: Callable[[], object]) -> None:
        """Make a call to the node after the delay, in order."""
        self._heard_until = max(self._heard_until, self._now + self.server.delay())
        self._later(self._heard_until, call)

    # From a test

    def cut(self, *, noticed: bool = True) -> None:
        """Let nothing through from now on; the node need not have noticed."""
        self._generation += 1
        self.is_cut = True
        self._subscribed.clear()
        if noticed and self.is_up:
            self.notice()

    def leave(self) -> None:
        """Disconnect the node; messages that it has sent still arrive."""
        self.is_dead = True
        self._subscribed.clear()
        self.server.lines.remove(self)

    def notice(self) -> None:
        """Tell the node that it is cut off."""
        self.is_up = False
        self.node.down()

    def mend(self) -> None:
        """Let everything through again."""
        self._generation += 1
        self._subscribed = set(self.wanted)
        self.is_cut, self.is_up = False, True
        self.node.up()

    @property
    def _now(self) -> float:
        return self.server.clock.seconds()

    def _send(self, call: Callable[[], object]) -> None:
        if self.is_dead or self.is_cut:
            return
        self._sent_until = max(self._sent_until, self._now + self.server.delay())
        self._later(self._sent_until, call)

    def _later(self, at: float, call: Callable[[], object]) -> None:
        generation = self._generation

        def arrive() -> None:
            if generation == self._generation:
                call()

        self.server.clock.callLater(at - self._now, arrive)


class NodeClock(FakeClock):
    """The clock of one node: no timer of a dead node fires."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self._asked: set[FakeTimer] = set()

    def seconds(self) -> float:
        return self._clock.seconds()

    def callLater(self, delay: float, function: Callable[..., object], /, *args: object) -> FakeTimer:
        timer = self._clock.callLater(delay, function, *args)
        self._asked.add(timer)
        return timer

    def stop(self) -> None:
        """Let no timer fire any more: the node is dead."""
        self._clock.timers = [timer for timer in self._clock.timers if timer not in self._asked]


class Cluster:
    """Several nodes, each a `World` of its own."""

    def __init__(
        self,
        nodes: int = 2,
        *,
        seed: int = 0,
        latency: tuple[float, float] = (0.0, 0.0),
        has_proofs: bool = False,
        **settings: object,
    ) -> None:
        """``has_proofs``: each node asks for proof, by a `FakeProver` in `provers`; a test may set its obstacle."""
        self.has_proofs = has_proofs
        self.provers: list[FakeProver] = []
        self.clock = FakeClock()
        self.server = Server(self.clock, seed, latency)
        self.settings = settings
        self.worlds: list[World] = []
        self.lines: list[Line] = []
        for number in range(nodes):
            self.add(f"n{number}", **settings)
        self.settle()

    def add(self, name: str, **settings: Any) -> World:
        """Start another node."""
        line = Line(self.server)
        clock = NodeClock(self.clock)
        values = Settings(**settings)
        node = line.node = Node(line, values, clock, self._wall, name)
        prover = FakeProver(None if self.has_proofs else "off")
        self.provers.append(prover)
        world = World(clock, node.elsewhere, prover=node.prover(prover), **settings)
        node.join(world.hub)
        self.worlds.append(world)
        self.lines.append(line)
        node.start()
        return world

    def kill(self, number: int) -> None:
        """Kill a node; the server knows immediately."""
        line = self.lines[number]
        line.cut(noticed=False)
        line.leave()
        clock = self.worlds[number].clock
        assert isinstance(clock, NodeClock)
        clock.stop()
        for connection in list(self.worlds[number].hub._connections):
            peer = connection.peer
            assert isinstance(peer, FakePeer)
            peer.left = True

    def settle(self, seconds: float = 0.5) -> None:
        """Let all messages arrive that are on their way."""
        self.clock.advance(seconds)

    def home(self, node: int, remote_id: str = "HOME", text: str = "192.0.2.1", **fields: object) -> FakePeer:
        """Return a home that registers at a node."""
        peer = self.worlds[node].connect(text)
        peer.say("register-server", remoteId=remote_id, **fields)
        self.settle()
        return peer

    def client(self, node: int, remote_id: str = "HOME", text: str = "198.51.100.1") -> FakePeer:
        """Return a client that asks a node for a home."""
        peer = self.worlds[node].connect(text)
        peer.say("connect-request", remoteId=remote_id)
        self.settle()
        return peer

    def session(self, home: FakePeer, client: FakePeer) -> str:
        """Open the session of a client that has just asked for this home; both peers forget their messages."""
        session_id: str = home.heard_of("client-connected")[-1]["sessionId"]
        home.say("session-ready", sessionId=session_id)
        self.settle()
        assert client.heard[-1]["sessionId"] == session_id, client.heard
        home.forget()
        client.forget()
        return session_id

    def is_online(self, node: int, remote_id: str = "HOME") -> object:
        """Return what `/api/check` tells at a node."""
        told: list[object] = []
        asker = self.worlds[node].connect("203.0.113.1")
        self.worlds[node].hub.lookups.ask_online(asker.connection.address, remote_id, told.append)
        self.settle(5)
        asker.goodbye()
        (answer,) = told
        return answer

    def holders(self, remote_id: str = "HOME") -> list[int]:
        """Return the nodes that hold a Remote ID."""
        homes = [world.hub.registry.find(remote_id) for world in self.worlds]
        return [
            number for number, home in enumerate(homes) if home is not None and home.state is HomeState.LOCAL
        ]

    def _wall(self) -> float:
        return 1_800_000_000 + self.clock.seconds()
