"""Any order of whatever peers can do, against a referee who knows what each of them may expect."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
)
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
from tests.model.hub_game import Call, Challenge, House, Player
from tests.model.hub_moves import Match
from tests.model.machine import KINDS, UNLIMITED, if_any, one_of_the
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

ADVERSARIES = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"]
OWNER = address("192.0.2.99")


class HubMachine(RuleBasedStateMachine):
    """Players come, call, talk and go; the referee judges after each turn."""

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

    # What happens most in life, and seldom by chance

    @if_any(Match.homes)
    @rule(address=ADDRESSES, home=one_of_the(Match.homes), letters=lists(KINDS, max_size=2))
    def call(self, address: ClientAddress, home: Player, letters: list[str]) -> None:
        self._call(address, home, letters)

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), letters=lists(KINDS, min_size=2, max_size=3))
    def lose_a_home(self, home_call: tuple[Player, Call], letters: list[str]) -> None:
        home, call = home_call
        self.match.leave(home, goodbye=False)
        for kind in letters:
            if call.client in self.match.clients():
                self.match.client_says(call.client, kind, None)

    @if_any(Match.home_calls)
    @rule(
        home_call=one_of_the(Match.home_calls),
        is_same=booleans(),
        has_key=booleans(),
        is_prompt=booleans(),
        letters=lists(KINDS, max_size=2),
    )
    def blip(
        self,
        home_call: tuple[Player, Call],
        is_same: bool,
        has_key: bool,
        is_prompt: bool,
        letters: list[str],
    ) -> None:
        """The home of a call that is answered loses its connection; it comes back, or somebody else comes."""
        home, call = home_call
        self.match.home_says(home, call, "answer")
        if home.is_there:
            self.match.leave(home, goodbye=False)
        where = home.address if is_same else OWNER
        self._appear(where, call.house.remote_id, has_key=has_key, is_prompt=is_prompt)
        for kind in letters:
            if call.client in self.match.clients():
                self.match.client_says(call.client, kind, None)
        for player in self.match.asked():
            if player.house is call.house and player.has_key:
                self.match.prove(player)

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), address=ADDRESSES)
    def take_over(self, home_call: tuple[Player, Call], address: ClientAddress) -> None:
        self._appear(address, home_call[1].house.remote_id)
        self.match.advance(self.match.world.settings.takeover_timeout)

    @if_any(Match.away)
    @rule(house=one_of_the(Match.away), address=ADDRESSES, ice=ICE, has_key=booleans())
    def come_back(self, house: House, address: ClientAddress, ice: object, has_key: bool) -> None:
        self._appear(address, house.remote_id, ice, has_key=has_key, is_prompt=True)

    @if_any(Match.away)
    @rule(
        house=one_of_the(Match.away),
        address=ADDRESSES,
        seconds=sampled_from([1.0, 16.0, 20.0]),
        patient=booleans(),
    )
    def wait_for_a_home(self, house: House, address: ClientAddress, seconds: float, patient: bool) -> None:
        if client := self.match.connect(address):
            self.match.request(client, house.remote_id)
            self.match.advance(seconds)
            if not patient and client.is_there:
                self.match.leave(client, goodbye=True)
            self._appear(address, house.remote_id)
            self.match.advance(10.0)

    @if_any(Match.homes)
    @rule(home=one_of_the(Match.homes), other=one_of_the(Match.homes), back=booleans())
    def covet(self, home: Player, other: Player, back: bool) -> None:
        for newcomer, holder in [(home, other), (other, home)][: 1 + back]:
            if newcomer.is_there and holder.house is not None:
                self.match.register(newcomer, holder.house.remote_id, None)

    @if_any(Match.provable)
    @rule(
        home=one_of_the(Match.provable),
        adversaries=lists(sampled_from(ADVERSARIES), max_size=4, unique=True),
        moves=lists(sampled_from(["pong", "leave", "come", "call", "wait"]), max_size=8),
        seconds=sampled_from([0.0, 4.0, 9.0, 16.0]),
        later=lists(sampled_from([0.0, 599.0, 601.0]), max_size=2),
    )
    def besiege(
        self,
        home: Player,
        adversaries: list[str],
        moves: list[str],
        seconds: float,
        later: list[float],
    ) -> None:
        """Somebody with several addresses wants a Remote ID when its owner comes; whatever they do, it gets it."""
        assert home.house is not None
        remote_id = home.house.remote_id
        for text in adversaries:
            self._appear(address(text), remote_id)
        self.match.advance(seconds)
        owner = self._appear(OWNER, remote_id, has_key=True, is_prompt=True)
        for move in moves:
            challenge = self.match.challenges.get(remote_id)
            if challenge is not None:
                self._lay_siege(move, challenge, owner)
        self.match.advance(30.0)
        for pause in later:
            self.match.advance(pause)
            self._contend("203.0.113.9", remote_id)

    def _lay_siege(self, move: str, challenge: Challenge, owner: Player | None) -> None:
        strangers = [player for player in challenge.newcomers if player is not owner]
        house = challenge.holder.house
        match move:
            case "pong":
                self.match.pong(challenge.holder, challenge.payload)
            case "leave" if challenge.holder is not owner:
                self.match.leave(challenge.holder, goodbye=False)
            case "come" if house is not None:
                self._appear(address(ADVERSARIES[len(strangers) % 4]), house.remote_id)
            case "call":
                self._call(address("192.0.2.3"), challenge.holder, ["offer"])
            case "wait":
                self.match.advance(3.0)

    @if_any(Match.provable)
    @rule(home=one_of_the(Match.provable))
    def persist(self, home: Player) -> None:
        """Somebody comes twice, from one address, while the holder lives."""
        assert home.house is not None
        remote_id = home.house.remote_id
        for _ in range(2):
            self._contend("203.0.113.8", remote_id)
            self.match.advance(26.0)

    def _contend(self, text: str, remote_id: str) -> None:
        """Let somebody contend with a holder that lives."""
        self._appear(address(text), remote_id)
        challenge = self.match.challenges.get(remote_id)
        if challenge is not None:
            self.match.pong(challenge.holder, challenge.payload)

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), kind=KINDS, goodbye=booleans())
    def end_a_call(self, home_call: tuple[Player, Call], kind: str, goodbye: bool) -> None:
        self.match.home_says(*home_call, kind)
        self.match.leave(home_call[1].client, goodbye=goodbye)

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


class LimitedMachine(HubMachine):
    """The same where limits are met."""

    settings = LIMITED
