"""The rule of takeover, as players see it: who may get a Remote ID that another player holds, and who must."""

from __future__ import annotations

from typing import Any

from ma_signaling.core.connection import TRUSTED_SECONDS
from ma_signaling.core.contest import HOLDER_SECONDS
from ma_signaling.core.failed_proofs import FIRST_WAIT, LONGEST_WAIT
from ma_signaling.core.probe import BUSY_SECONDS, PAUSE_SECONDS
from tests.model.game import same_place
from tests.model.hub_game import Call, Challenge, Game, House, Player
from tests.support.memory_hub import World

OWNER_SECONDS = 30.0
"""Seconds within which the holder of the key gets its Remote ID."""

NEWCOMER_SECONDS = 70.0
"""Seconds within which every newcomer gets a verdict, if all holders live."""


class Contests(Game):
    """Judges who gets what."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._proved: dict[str, Player] = {}
        """Newcomers that got a Remote ID by proof in this turn."""
        self._moving: list[tuple[Player, House]] = []
        """Players whose Remote ID another one got in this turn; they must have another one by its end."""

    def is_newcomer(self, player: Player) -> bool:
        """Return whether a player waits for a Remote ID."""
        return any(player in challenge.newcomers for challenge in self.challenges.values())

    def offers(self, player: Player, remote_id: str, ice: Any) -> None:
        """Note the ICE servers with which a player asks to register; asking again without any keeps the first ones."""
        waits = remote_id in self.challenges and player in self.challenges[remote_id].newcomers
        if ice is not None or not waits:
            player.ice[remote_id] = ice

    def are_asked(self, remote_id: str) -> bool:
        """Return whether newcomers are asked to prove a Remote ID."""
        newcomers = self.challenges[remote_id].newcomers if remote_id in self.challenges else []
        return any(player.is_asked_for(remote_id) for player in newcomers)

    # What messages show

    def _gets(self, player: Player, remote_id: str) -> None:
        """Assert that a player who gets a Remote ID may: it was free, or it is this newcomer's turn."""
        house, challenge = self.houses.get(remote_id), self.challenges.get(remote_id)
        has_proved = self.proving is player
        if house is not None and house.holder is not None:
            # The holder must be about to get another Remote ID itself.
            self._moving.append((house.holder, house))
            self._freed.add(remote_id)
            self.vacate(house, goodbye=True)
        if challenge is not None and player in challenge.newcomers:
            is_first = challenge.newcomers[0] is player and remote_id in self._freed
            assert has_proved or is_first, f"{player} was not the first"
            challenge.newcomers.remove(player)
            del player.asked_since[remote_id]
            challenge.holder, challenge.payload, challenge.probed_at = player, b"", self.now
            challenge.lives, challenge.has_longer = False, None
        else:
            assert self.acting is player and self.registering == remote_id, f"{player} never asked for that"
        home = self.world.hub.registry.find(remote_id)
        if house is not None and house.home is not home:
            grace = self.world.settings.grace
            assert house.away_since is not None and self.now >= house.away_since + grace, f"{house} is lost"
            house.over = True
        if house is None or house.over:
            house = self.houses[remote_id] = House(remote_id)
        if player.house is not None and player.house.holder is player:
            self._freed.add(player.house.remote_id)
            self.vacate(player.house, goodbye=True)
            self.proved_at.pop(player, None)
        if has_proved:
            self._proved[remote_id] = player
        self._move_in(player, house, has_proved=has_proved)

    def _move_in(self, player: Player, house: House, *, has_proved: bool) -> None:
        house.home = self.world.hub.registry.find(house.remote_id)
        house.holder, house.away_since, house.ice = player, None, player.ice[house.remote_id]
        player.house = house
        for call in house.calls:
            if not call.answered or call.over:
                continue
            at = call.answered_at
            is_there = not house.is_provable and at is not None and same_place(player.address, at)
            call.suspended = not (has_proved or is_there)
            if call.suspended:
                house.suspended_at = self.now
            else:
                call.answered_at = player.address

    def holder_proved(self, player: Player) -> None:
        """Note that a holder has proved itself: calls that waited for the proof go on."""
        assert player.house is not None
        if player.house.remote_id in self.challenges:
            self.proved_at[player] = self.now
            self.lives(player)
        for call in player.house.calls:
            if call.suspended:
                call.suspended, call.answered_at = False, player.address

    def _refused(self, player: Player) -> None:
        """Assert that a refused newcomer has failed, or another player takes precedence."""
        ((remote_id, challenge),) = [
            (name, each) for name, each in self.challenges.items() if player in each.newcomers
        ]
        house = self.houses[remote_id]
        has_failed = (player, remote_id) in self._answered_for and self.proving is not player
        by_proof = remote_id in self._proved or self._is_trusted(challenge.holder)
        # A player who is closed while it is asked fails before it is gone, and its neighbours may hear of it first.
        is_failing = (player.address.key, remote_id) in {
            (each.address.key, id) for each, id in self._answered_for
        }
        may_not_ask = is_failing or not house.is_provable or self._has_failed_lately(player, remote_id)
        assert by_proof or has_failed or (challenge.lives and may_not_ask), (
            f"{player} is refused, and nobody has more right to {remote_id}"
        )
        if by_proof:
            winner = self._proved.get(remote_id, challenge.holder)
            assert winner.has_key, f"{winner} has proved what it can't"
            self._answered_for.discard((player, remote_id))
        elif has_failed:
            self.fails(player, remote_id)
        player.refused = True
        self.leaves(player, goodbye=False)

    def _is_trusted(self, holder: Player) -> bool:
        """Return whether a holder has lately proved itself in a contest."""
        return self.now - self.proved_at.get(holder, float("-inf")) < TRUSTED_SECONDS

    def _has_failed_lately(self, player: Player, remote_id: str) -> bool:
        failed_at = self.failures.get((player.address.key, remote_id), float("-inf"))
        return self.now - failed_at < LONGEST_WAIT

    def _displaced(self, player: Player) -> None:
        """Assert that a holder is closed only for a newcomer that has proved that it holds the key."""
        house, winner = player.house, self.proving
        assert house is not None and house.holder is player and winner is not None and winner.has_key
        challenge = self.challenges[house.remote_id]
        assert winner in challenge.newcomers, f"{winner} did not ask for {house}"
        # A holder that has proved itself lately, and is silent now, isn't asked again.
        had_time = self.now > challenge.probed_at and not self._is_trusted(player)
        proves = player.has_key and player.is_prompt and had_time
        assert not proves, f"{player} was not asked, or not first"
        self._lose(player, house)

    def dropped(self, player: Player) -> None:
        """Assert that a player who was cut off is a holder that gave no sign of life."""
        house = player.house
        assert house is not None and house.holder is player
        challenge = self.challenges[house.remote_id]
        assert not challenge.lives, f"{player} has answered"
        waited = self.now - challenge.probed_at
        assert waited >= self.world.settings.takeover_timeout
        assert waited >= BUSY_SECONDS or self._stalled is not None or not self._is_busy(house)
        self._lose(player, house)

    def _lose(self, player: Player, house: House) -> None:
        self.leaves(player, goodbye=False)
        house.away_since = None

    def _is_busy(self, house: House) -> bool:
        # A proof that ends at the same moment as the probe may still have counted.
        return any(
            call.offered
            and (not call.answered or self.now - call.offered_again_at < BUSY_SECONDS)
            and (not call.over or call.over_at == self.now)
            for call in house.calls
        )

    # What players are owed

    def _judge_contests(self) -> None:
        for player, house in self._moving:
            assert player.house is not house, f"{player} is not the only holder of {house}"
        self._moving = []
        for remote_id, challenge in list(self.challenges.items()):
            if challenge.newcomers:
                is_held = self.houses[remote_id].holder is not None
                assert is_held or remote_id not in self._freed, f"nobody got {remote_id}"
                self._judge_contest(remote_id, challenge)
            elif remote_id not in self.world.hub.registry.contests.by_remote_id:
                del self.challenges[remote_id]
            else:
                assert self.now < challenge.began + HOLDER_SECONDS, f"{remote_id} is contended for by nobody"
        self._freed, self._proved, self._answered_for = set(), {}, set()

    def _judge_contest(self, remote_id: str, challenge: Challenge) -> None:
        house, holder = self.houses[remote_id], challenge.holder
        assert house.holder is holder
        waited = self.now - challenge.probed_at
        # A message during the pause is a sign of life as well.
        assert challenge.payload or challenge.lives or waited < PAUSE_SECONDS, f"{holder} was not probed"
        soon = self.world.settings.takeover_timeout
        if challenge.has_longer is None and challenge.payload and waited >= soon:
            challenge.has_longer = waited > soon or self._is_busy(house)
        longest = BUSY_SECONDS if challenge.has_longer else soon
        assert challenge.lives or waited < longest, f"{holder} is silent"
        assert house.is_provable or not challenge.lives, f"{holder} lives, and newcomers wait"
        assert not (challenge.lives and self._is_trusted(holder)), f"{holder} has proved itself"
        for player in challenge.newcomers:
            assert player.is_there
            self._judge_asking(player, remote_id)
            patience = NEWCOMER_SECONDS + BUSY_SECONDS * len(self.players)
            assert self.now - player.asked_since[remote_id] < patience, f"{player} is not answered"
            is_owner = player.has_key and player.is_prompt and house.is_provable
            if is_owner and not self._has_failed_lately(player, remote_id):
                assert self.now - player.asked_since[remote_id] <= OWNER_SECONDS, (
                    f"{player} holds the key of {remote_id}, and hasn't got it"
                )

    def _judge_asking(self, player: Player, remote_id: str) -> None:
        """Assert that an address that has failed isn't asked again too soon."""
        if player.asking is not None and player.is_asked_for(remote_id):
            since = player.proof_sessions[player.asking.session_id]
            failed_at = self.failures.get((player.address.key, remote_id), float("-inf"))
            assert not failed_at <= since < failed_at + FIRST_WAIT, f"{player} is asked again"

    def _judge_suspended(self, call: Call) -> bool:
        """Return whether a suspended call still waits for its home's proof; it must not end too early."""
        home = self.world.hub.registry.find(call.house.remote_id)
        waits = home is not None and call.id in home.suspended
        if not waits and not call.over:
            assert self.now >= call.house.suspended_at + 600, f"{call} ends too early"
            self.hang_up(call, tell=False)
        return waits
