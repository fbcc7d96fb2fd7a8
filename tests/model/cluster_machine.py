"""Actions of peers and faults of a bus in any order, with several nodes, judged by a referee who sees all of it."""

from __future__ import annotations

from hypothesis.stateful import initialize, precondition, rule
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples

from ma_signaling.core.peer import ClientAddress
from tests.model.cluster_game import Call, Player
from tests.model.cluster_moves import MOST_NODES, MOST_PLAYERS, Match
from tests.model.cluster_outcome import JudgedMatch
from tests.model.machine import KINDS, UNLIMITED, Machine, if_any, one_of_the
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import address

ADDRESSES = sampled_from(
    [
        address("192.0.2.1"),
        address("192.0.2.1"),
        address("192.0.2.2"),
        address("192.0.2.3"),
        address("192.0.2.3", shared=True),
    ]
)
REMOTE_IDS = sampled_from(["ONE", "ONE", "TWO", 26 * "A", 26 * "A"])
LATENCIES = sampled_from([(0.0, 0.0), (0.001, 0.02), (0.0, 0.2)])
SECONDS = sampled_from([0.0, 0.0, 0.01, 0.05, 0.1, 0.3, 0.3, 1.0, 1.0, 2.0, 5.0, 8.0, 20.0, 26.0, 45.0])
NODES = integers(0, MOST_NODES - 1)
SELDOM = sampled_from([False, False, False, True])


def if_room(match: Match) -> list[int]:
    """Return the nodes, or none if there are too many players."""
    return match.live() if len(match.there()) < MOST_PLAYERS else []


class PeersMachine(Machine):
    """Players come, call, talk and go, at any node; the bus is slow, but has no faults."""

    steps = 25
    match: JudgedMatch

    @initialize(
        nodes=sampled_from([2, 3, 3, 4]),
        seed=integers(0, 1000),
        latency=LATENCIES,
        is_silent=SELDOM,
        has_key=booleans(),
        remote_id=sampled_from(["ONE", 26 * "A"]),
        calls=lists(tuples(NODES, booleans()), min_size=1, max_size=3),
    )
    def begin(
        self,
        nodes: int,
        seed: int,
        latency: tuple[float, float],
        is_silent: bool,
        has_key: bool,
        remote_id: str,
        calls: list[tuple[int, bool]],
    ) -> None:
        cluster = Cluster(nodes, seed=seed, latency=latency, has_proofs=True, **UNLIMITED)
        self.match = JudgedMatch(cluster)
        home = self.match.connect(0, address("192.0.2.1"), is_silent=is_silent, has_key=has_key)
        self.match.register(home, remote_id)
        self.match.advance(1)
        for node, answers in calls:
            self.match.make_call(home, node % nodes, address("198.51.100.1"), answers=answers)

    def teardown(self) -> None:
        if hasattr(self, "match") and self.match.is_sound:
            self.match.judge_peace()
            self.match.judge_end()

    def _advance(self, seconds: float) -> None:
        self.match.advance(seconds)

    @if_any(if_room)
    @rule(
        node=one_of_the(if_room),
        address=ADDRESSES,
        remote_id=REMOTE_IDS,
        is_silent=SELDOM,
        has_key=booleans(),
        seconds=SECONDS,
    )
    def new_home(
        self,
        node: int,
        address: ClientAddress,
        remote_id: str,
        is_silent: bool,
        has_key: bool,
        seconds: float,
    ) -> None:
        player = self.match.connect(node, address, is_silent=is_silent, has_key=has_key)
        self.match.register(player, remote_id)
        self._advance(seconds)

    @if_any(if_room)
    @rule(node=one_of_the(if_room), address=ADDRESSES, remote_id=REMOTE_IDS, seconds=SECONDS)
    def new_client(self, node: int, address: ClientAddress, remote_id: str, seconds: float) -> None:
        self.match.request(self.match.connect(node, address), remote_id)
        self._advance(seconds)

    @if_any(Match.there)
    @rule(player=one_of_the(Match.there), remote_id=REMOTE_IDS, seconds=SECONDS)
    def register(self, player: Player, remote_id: str, seconds: float) -> None:
        self.match.register(player, remote_id)
        self._advance(seconds)

    @if_any(Match.there)
    @rule(player=one_of_the(Match.there), remote_id=REMOTE_IDS, seconds=SECONDS)
    def request(self, player: Player, remote_id: str, seconds: float) -> None:
        self.match.request(player, remote_id)
        self._advance(seconds)

    @if_any(Match.there)
    @rule(player=one_of_the(Match.there), goodbye=booleans(), seconds=SECONDS)
    def leave(self, player: Player, goodbye: bool, seconds: float) -> None:
        self.match.leave(player, goodbye=goodbye)
        self._advance(seconds)

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        self._advance(seconds)

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), seconds=SECONDS)
    def ready(self, home_call: tuple[Player, Call], seconds: float) -> None:
        self.match.ready(*home_call)
        self._advance(seconds)

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), kinds=lists(KINDS, min_size=1, max_size=3), seconds=SECONDS)
    def home_says(self, home_call: tuple[Player, Call], kinds: list[str], seconds: float) -> None:
        for kind in kinds:
            self.match.home_says(*home_call, kind)
        self._advance(seconds)

    @if_any(Match.open_clients)
    @rule(client=one_of_the(Match.open_clients), kinds=lists(KINDS, min_size=1, max_size=3), seconds=SECONDS)
    def client_says(self, client: Player, kinds: list[str], seconds: float) -> None:
        for kind in kinds:
            self.match.client_says(client, kind)
        self._advance(seconds)

    # Common in reality, but rare by chance

    @if_any(lambda match: match.all_homes() and if_room(match))
    @rule(
        home=one_of_the(Match.all_homes),
        node=one_of_the(if_room),
        address=ADDRESSES,
        answers=booleans(),
        seconds=SECONDS,
    )
    def call(self, home: Player, node: int, address: ClientAddress, answers: bool, seconds: float) -> None:
        self.match.make_call(home, node, address, answers=answers)
        self._advance(seconds)

    @if_any(Match.open_clients)
    @rule(client=one_of_the(Match.open_clients), kinds=lists(KINDS, min_size=1, max_size=3), seconds=SECONDS)
    def talk(self, client: Player, kinds: list[str], seconds: float) -> None:
        for kind in kinds:
            self.match.client_says(client, kind)
            if client.call is not None:
                for home in self.match.homes(client.call.remote_id):
                    self.match.home_says(home, client.call, kind)
        self._advance(seconds)

    @if_any(lambda match: match.lost_homes() and if_room(match))
    @rule(home=one_of_the(Match.lost_homes), node=one_of_the(if_room), seconds=SECONDS)
    def come_back(self, home: Player, node: int, seconds: float) -> None:
        self._comes_back(home, node, seconds)

    @if_any(lambda match: match.all_homes() and if_room(match))
    @rule(
        home=one_of_the(Match.all_homes),
        node=one_of_the(if_room),
        goodbye=SELDOM,
        away=SECONDS,
        seconds=SECONDS,
    )
    def move(self, home: Player, node: int, goodbye: bool, away: float, seconds: float) -> None:
        self.match.leave(home, goodbye=goodbye)
        self._advance(away)
        self._comes_back(home, node, seconds)

    def _comes_back(self, home: Player, node: int, seconds: float) -> None:
        self.match.register(self.match.connect(node, home.address, has_key=home.has_key), home.remote_id)
        self._advance(seconds)


class FaultyMachine(PeersMachine):
    """The same on a bus that loses messages and is partitioned, with nodes that come and go."""

    @if_any(Match.connected)
    @rule(node=one_of_the(Match.connected), noticed=booleans(), seconds=SECONDS)
    def cut(self, node: int, noticed: bool, seconds: float) -> None:
        self.match.cut(node, noticed=noticed)
        self._advance(seconds)

    @if_any(Match.unaware)
    @rule(node=one_of_the(Match.unaware), seconds=SECONDS)
    def notice(self, node: int, seconds: float) -> None:
        self.match.notice(node)
        self._advance(seconds)

    @if_any(Match.cut_off)
    @rule(node=one_of_the(Match.cut_off), seconds=SECONDS)
    def mend(self, node: int, seconds: float) -> None:
        self.match.mend(node)
        self._advance(seconds)

    @rule(sides=lists(integers(0, 1), min_size=MOST_NODES, max_size=MOST_NODES), seconds=SECONDS)
    def part(self, sides: list[int], seconds: float) -> None:
        self.match.part(sides)
        self._advance(seconds)

    @rule(seconds=SECONDS)
    def unite(self, seconds: float) -> None:
        self.match.part([0] * MOST_NODES)
        self._advance(seconds)

    @if_any(lambda match: match.all_homes() and if_room(match))
    @rule(
        home=one_of_the(Match.all_homes),
        node=one_of_the(if_room),
        address=ADDRESSES,
        has_key=booleans(),
        away=SECONDS,
        apart=SECONDS,
        seconds=SECONDS,
    )
    def hold_twice(
        self,
        home: Player,
        node: int,
        address: ClientAddress,
        has_key: bool,
        away: float,
        apart: float,
        seconds: float,
    ) -> None:
        self.match.part([int(number == home.node) for number in range(MOST_NODES)])
        self._advance(away)
        self.match.register(self.match.connect(node, address, has_key=has_key), home.remote_id)
        self._advance(apart)
        self.match.part([0] * MOST_NODES)
        self._advance(seconds)

    @if_any(Match.unsettled)
    @rule(call=one_of_the(Match.unsettled), is_homes=booleans(), noticed=booleans(), seconds=SECONDS)
    def blink(self, call: Call, is_homes: bool, noticed: bool, seconds: float) -> None:
        home = call.home
        node = home.node if is_homes and home is not None else call.client.node
        if node in self.match.connected():
            self.match.cut(node, noticed=noticed)
            self._advance(seconds)
            self.match.mend(node)
            self._advance(5)

    @rule(share=sampled_from([0.0, 0.0, 0.1, 0.3]), seconds=SECONDS)
    def lose(self, share: float, seconds: float) -> None:
        self.match.lose(share)
        self._advance(seconds)

    @if_any(lambda match: match.live()[1:])
    @rule(node=one_of_the(Match.live), is_killed=booleans(), seconds=SECONDS)
    def end_node(self, node: int, is_killed: bool, seconds: float) -> None:
        if is_killed:
            self.match.kill(node)
        else:
            self.match.stop(node)
        self._advance(seconds)

    @precondition(lambda machine: len(machine.match.cluster.worlds) < MOST_NODES)
    @rule(seconds=SECONDS)
    def add_node(self, seconds: float) -> None:
        self.match.add()
        self._advance(seconds)

    @rule()
    def peace(self) -> None:
        self.match.judge_peace()
