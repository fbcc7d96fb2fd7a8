"""Single moves of peers, in any order, judged by a referee who knows what each peer may expect."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import initialize, rule
from hypothesis.strategies import (
    booleans,
    integers,
    just,
    lists,
    none,
    one_of,
    sampled_from,
)

from ma_signaling.core.peer import ClientAddress
from tests.model.hub_game import Call, Player
from tests.model.hub_moves import Match
from tests.model.machine import KINDS, UNLIMITED, Machine, if_any, one_of_the
from tests.support.fake_prover import FakeProver
from tests.support.memory_hub import World, address

LIMITED: dict[str, Any] = {
    "connections_per_minute": 20,
    "silent_connections_per_address": 4,
    "lookups_per_minute": 6,
    "connect_requests_per_minute": 6,
    "guesses_per_minute": 3,
    "home_sessions_per_minute": 3,
    "home_sessions": 2,
}

ADDRESSES = sampled_from(
    [
        address("192.0.2.1"),
        address("192.0.2.2"),
        address("192.0.2.3"),
        address("192.0.2.3", shared=True),
    ]
)
PROVABLE = [letter * 26 for letter in "AB"]
REMOTE_IDS = sampled_from(["ONE", "ONE", "TWO", *PROVABLE, PROVABLE[0]])
ICE = none() | integers(1, 9).map(lambda port: [{"urls": f"stun:192.0.2.9:{port}"}])
# Eighths of a second add up exactly.
SECONDS = one_of(
    sampled_from([4.875, 5.0, 10.0, 20.0, 25.0, 45.0]),
    integers(0, 480).map(lambda n: n / 8),
    just(3600.0),
)


class BasicMachine(Machine):
    """Players come, call, talk and go; the referee judges after each turn."""

    steps = 40
    settings = UNLIMITED
    match: Match

    @initialize(grace=sampled_from([45.0, 45.0, 8.0, 0.0]))
    def begin(self, grace: float) -> None:
        world = World(grace=grace, prover=FakeProver(), **self.settings)
        self.match = Match(world, is_limited=self.settings is LIMITED)

    def teardown(self) -> None:
        if hasattr(self, "match") and self.match.is_sound:
            for number, player in enumerate(self.match.players):
                if not player.left:
                    self.match.leave(player, goodbye=number % 2 == 0)
            self.match.judge_end()

    @rule(address=ADDRESSES, remote_id=REMOTE_IDS, ice=ICE, has_key=booleans(), is_prompt=booleans())
    def new_home(
        self, address: ClientAddress, remote_id: str, ice: object, has_key: bool, is_prompt: bool
    ) -> None:
        self._appear(address, remote_id, ice, has_key=has_key, is_prompt=is_prompt)

    @rule(address=ADDRESSES, remote_id=REMOTE_IDS)
    def new_client(self, address: ClientAddress, remote_id: str) -> None:
        if player := self.match.connect(address):
            self.match.request(player, remote_id)

    @if_any(Match.there)
    @rule(player=one_of_the(Match.there), remote_id=REMOTE_IDS, ice=ICE)
    def register(self, player: Player, remote_id: str, ice: object) -> None:
        self.match.register(player, remote_id, ice)

    @if_any(Match.there)
    @rule(player=one_of_the(Match.there), remote_id=REMOTE_IDS)
    def request(self, player: Player, remote_id: str) -> None:
        self.match.request(player, remote_id)

    @if_any(Match.there)
    @rule(player=one_of_the(Match.there), goodbye=booleans())
    def leave(self, player: Player, goodbye: bool) -> None:
        self.match.leave(player, goodbye=goodbye)

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        self.match.advance(seconds)

    @if_any(Match.pongs)
    @rule(pong=one_of_the(Match.pongs))
    def pong(self, pong: tuple[Player, bytes]) -> None:
        self.match.pong(*pong)

    @if_any(Match.asked)
    @rule(player=one_of_the(Match.asked))
    def prove(self, player: Player) -> None:
        self.match.prove(player)

    @rule(
        seconds=sampled_from([0.5, 6.0, 12.0, 21.0]),
        numbers=lists(integers(0, 50), max_size=3),
    )
    def stall(self, seconds: float, numbers: list[int]) -> None:
        pongs = self.match.pongs()
        self.match.stall(seconds, [pongs[number % len(pongs)] for number in numbers if pongs])

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), ice=ICE)
    def ready(self, home_call: tuple[Player, Call], ice: object) -> None:
        self.match.ready(*home_call, ice)

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), kind=KINDS)
    def home_says(self, home_call: tuple[Player, Call], kind: str) -> None:
        self.match.home_says(*home_call, kind)

    @if_any(lambda match: match.all_calls() if match.there() else [])
    @rule(
        player=one_of_the(Match.there),
        call=one_of_the(Match.calls_to_meddle_in),
        kind=KINDS | just("session-ready"),
    )
    def meddle(self, player: Player, call: Call, kind: str) -> None:
        self.match.meddle(player, call, kind)

    @if_any(Match.clients)
    @rule(
        player=one_of_the(Match.clients),
        kind=KINDS,
        claimed=one_of_the(lambda match: [None, *match.all_calls()]),
    )
    def client_says(self, player: Player, kind: str, claimed: Call | None) -> None:
        self.match.client_says(player, kind, claimed)

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), slow=sampled_from(["home", "client"]), recovers=booleans())
    def congest(self, home_call: tuple[Player, Call], slow: str, recovers: bool) -> None:
        home, call = home_call
        player = home if slow == "home" else call.client
        player.congested = True
        self.match.client_says(call.client, "offer", None)
        self.match.home_says(home, call, "answer")
        player.congested = not recovers

    @if_any(Match.gone)
    @rule(
        player=one_of_the(Match.gone), kind=sampled_from(["", "offer", "register-server", "connect-request"])
    )
    def stir_after_the_end(self, player: Player, kind: str) -> None:
        if kind:
            with self.match.turn():
                player.say(kind, remoteId="ONE", sessionId=next(iter(self.match.calls), "none"))
        else:
            self.match.leave(player, goodbye=True)

    def _call(self, address: ClientAddress, home: Player, letters: list[str]) -> None:
        client = self.match.connect(address)
        if client is not None and home.house is not None:
            self.match.request(client, home.house.remote_id)
            if client.call is not None and not home.congested:
                self.match.ready(home, client.call, None)
                for kind in letters:
                    self.match.client_says(client, kind, None)

    def _appear(
        self,
        address: ClientAddress,
        remote_id: str,
        ice: object = None,
        *,
        has_key: bool = False,
        is_prompt: bool = False,
    ) -> Player | None:
        player = self.match.connect(address, has_key=has_key, is_prompt=is_prompt)
        if player is not None:
            self.match.register(player, remote_id, ice)
        return player
