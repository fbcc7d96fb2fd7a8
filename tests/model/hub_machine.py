"""Any order of peers' actions, and of scenes that are common in reality, judged by a referee."""

from __future__ import annotations

from hypothesis.stateful import rule
from hypothesis.strategies import booleans, integers, lists, sampled_from

from ma_signaling.core.peer import ClientAddress
from tests.model.hub_game import Call, Challenge, House, Player
from tests.model.hub_moves import Match
from tests.model.hub_rules import ADDRESSES, ICE, LIMITED, BasicMachine
from tests.model.machine import KINDS, if_any, one_of_the
from tests.support.memory_hub import address

ADVERSARIES = 12
"""Addresses of an adversary who wants a Remote ID, each in a network of its own."""
OWNER = address("192.0.2.99")


class HubMachine(BasicMachine):
    """Single moves, and scenes that are rare by chance."""

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
        """Let the home of an answered call lose its connection; it comes back, or somebody else comes."""
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
        adversaries=integers(0, ADVERSARIES),
        moves=lists(sampled_from(["pong", "leave", "come", "flee", "fail", "call", "wait"]), max_size=12),
        seconds=sampled_from([0.0, 4.0, 9.0, 16.0]),
        later=lists(sampled_from([0.0, 599.0, 601.0]), max_size=2),
    )
    def besiege(
        self,
        home: Player,
        adversaries: int,
        moves: list[str],
        seconds: float,
        later: list[float],
    ) -> None:
        """Let an adversary with many addresses want a Remote ID when its owner comes. The owner must get it anyway.

        The adversary's newcomers are patient: one that neither fails nor flees is asked for as long as possible.
        """
        assert home.house is not None
        remote_id = home.house.remote_id
        for _ in range(adversaries):
            self._appear(self._fresh_address(), remote_id)
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
                self._appear(self._fresh_address(), house.remote_id)
            case "flee" if strangers:
                self.match.leave(strangers[0], goodbye=False)
            case "fail" if house is not None:
                for player in [each for each in strangers if each.is_asked_for(house.remote_id)][:1]:
                    self.match.prove(player)
            case "call":
                self._call(address("192.0.2.3"), challenge.holder, ["offer"])
            case "wait":
                self.match.advance(3.0)

    def _fresh_address(self) -> ClientAddress:
        """Return an address that nobody has had."""
        return address(f"203.0.{len(self.match.players)}.7")

    @if_any(Match.provable)
    @rule(home=one_of_the(Match.provable))
    def persist(self, home: Player) -> None:
        """Let somebody come twice from one address, while the holder lives."""
        assert home.house is not None
        remote_id = home.house.remote_id
        for _ in range(2):
            self._contend("203.0.113.8", remote_id)
            self.match.advance(26.0)

    def _contend(self, text: str, remote_id: str) -> None:
        """Let somebody contend with a holder that lives."""
        self._appear(address(text), remote_id)
        # A holder is probed at most once a second.
        self.match.advance(1.0)
        challenge = self.match.challenges.get(remote_id)
        if challenge is not None:
            self.match.pong(challenge.holder, challenge.payload)

    @if_any(Match.home_calls)
    @rule(home_call=one_of_the(Match.home_calls), kind=KINDS, goodbye=booleans())
    def end_a_call(self, home_call: tuple[Player, Call], kind: str, goodbye: bool) -> None:
        self.match.home_says(*home_call, kind)
        self.match.leave(home_call[1].client, goodbye=goodbye)


class LimitedMachine(HubMachine):
    """The same with limits that are met."""

    settings = LIMITED
