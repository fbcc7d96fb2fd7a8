"""What peers may expect of the hub, whatever they do: a referee that sees every message and knows who deserves what.

It predicts as little as it can. Most transitions are read from the wire (who was told `registered`, who was closed and
with what) and judged by what the players did before; what is owed to somebody is claimed at the end of each turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from ma_signaling.core.sessions import ANSWER_DEADLINE
from tests.model.game import same_place
from tests.model.hub_game import Call, Game, House, Letter, Player
from tests.support.memory_hub import Message, World


class Referee(Game):
    """Judges a game, turn by turn."""

    def __init__(self, world: World, *, is_limited: bool) -> None:
        super().__init__(world)
        self.is_limited = is_limited
        self._turn = 0
        self._bereaved: list[House] = []
        """Whose clients heard in this turn that they are over."""
        self._moving: list[tuple[Player, House]] = []
        """Whose Remote ID somebody else got in this turn; they must have another one by its end."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Something happens, and whoever deserves something for it must have got it by the end."""
        self.is_sound = False
        self._turn += 1
        yield
        self.world.advance(0)
        self._judge()
        self.is_sound = True

    # What players hear

    def _registered(self, player: Player, remote_id: str) -> None:
        house = self.houses.get(remote_id)
        if house is not None and house.holder is player:
            assert self.acting is player and self.registering == remote_id, f"{player} is registered twice"
            house.ice = player.ice[remote_id] or house.ice
            return
        challenge = self.challenges.get(remote_id)
        if challenge is not None and player in challenge.newcomers:
            asks_again = self.acting is player and self.registering == remote_id
            assert asks_again or challenge.newcomers[0] is player, f"{player} was not the first"
            self.withdraw(challenge, remote_id, player)
        else:
            assert self.acting is player and self.registering == remote_id, f"{player} never asked for that"
        if house is not None and house.holder is not None:
            # It must be about to get another Remote ID itself.
            self._moving.append((house.holder, house))
            self.vacate(house)
            house.over = True
        if house is None or house.over:
            house = self.houses[remote_id] = House(remote_id, player.address, self.now)
            self.all_houses.append(house)
        if player.house is not None and player.house.holder is player:
            self.vacate(player.house)
            player.house.over = True
        self._move_in(player, house)

    def _move_in(self, player: Player, house: House) -> None:
        if not same_place(player.address, house.owner):
            house.since = self.now
        house.owner, house.holder, house.away_since = player.address, player, None
        house.ice, house.granted_in = player.ice[house.remote_id], self._turn
        player.house = house
        for other in self.all_houses:
            is_waiting = other.evicted and not self.is_over(other) and other.remote_id == house.remote_id
            if is_waiting and same_place(other.owner, player.address):
                for call in other.calls:
                    call.house = house
                house.calls += other.calls
                other.calls, other.over = [], True

    def _announced(self, player: Player, call: Call) -> None:
        assert call.house.holder is player, f"{player} hears of {call}, which is for {call.house}"
        assert not call.over and not (call.is_open and call.spoken), f"{call} is announced too late"
        assert call.told is not player, f"{player} hears twice of {call}"
        call.told, call.told_at = player, self.now

    def name(self, call: Call, session_id: str) -> None:
        super().name(call, session_id)
        call.house.calls.append(call)

    def _client_disconnected(self, player: Player, call: Call) -> None:
        assert call.house.holder is player and call.told is not None, f"{player} never heard of {call}"
        assert not call.bye_heard, f"{player} hears twice that {call} is over"
        assert not call.to_home, f"{player} hears that {call} is over before what it said"
        call.bye_heard = True

    def _connected(self, call: Call, message: Message) -> None:
        ice = message.get("iceServers")
        assert message == {"type": "connected", "remoteId": call.house.remote_id, "sessionId": call.id} | (
            {"iceServers": ice} if ice is not None else {}
        )
        if self.readying[0] is call:
            assert self.acting is not None and self.acting is call.house.holder, "a stranger was ready"
            assert ice == self.readying[1]
        else:
            assert call.house.holder is not None and self.now == self._unready_at(call), "connected too early"
            assert ice == call.house.ice

    def _unready_at(self, call: Call) -> float:
        return min(call.told_at + self.world.settings.ready_timeout, call.at + ANSWER_DEADLINE)

    def _error(self, player: Player, code: str) -> None:
        if code == "remote-id-taken":
            claimed = {name: each for name, each in self.challenges.items() if player in each.newcomers}
            assert any(
                each.proved or self.houses[name].granted_in == self._turn for name, each in claimed.items()
            ), f"{player} is refused although nobody else has proved to be there"
            player.refused = True
            self.leaves(player, goodbye=False)
        elif player is self.acting:
            self.replies.append(code)
        else:
            assert player.call is not None, f"{player} hears {code} for nothing"
            self._call_failed(player.call, code)

    def _call_failed(self, call: Call, code: str) -> None:
        if code == "home-busy":
            assert self.is_limited, f"{call} was crowded out"
        elif code == "server-not-found":
            assert not call.is_open and call.house.away_since is not None
            assert self.now == max(call.at + self.world.settings.park, call.house.away_since)
        else:
            assert code == "server-disconnected" and not call.is_open, f"{call} fails with {code}"
            self._bereaved.append(call.house)
        self.hang_up(call, tell=code != "server-disconnected")

    def _peer_disconnected(self, call: Call) -> None:
        assert not call.house.evicted, f"{call.client} should not notice"
        self._bereaved.append(call.house)
        self.hang_up(call, tell=False)

    def _forwarded(self, player: Player, message: Message, letter: Letter) -> None:
        call = letter.call
        assert call is not None, f"{player} hears {message}, which is none of its business"
        if letter.to_home:
            assert call.house.holder is player, f"{player} hears another's {message}"
            assert call.told is player or call.spoken or call.over, f"{player} has yet to hear of {call}"
            assert message == letter.fields | {"sessionId": call.id}
        else:
            assert player.call is call, f"{player} hears another's {message}"
            assert message == letter.fields
        queue = call.to_home if letter.to_home else call.to_client
        assert queue[:1] == [message["data"]], f"{player} hears {message} again or out of order"
        del queue[0]

    def closed(self, player: Player, code: int) -> None:
        """A player was closed."""
        if code == 4000:
            house = player.house
            assert house is not None and house.holder is player and self.acting is not None
            assert self.registering == house.remote_id and self.is_entitled(self.acting, house)
            self.vacate(house)
            self.leaves(player, goodbye=False)
        elif code == 4008:
            assert self.acting is player and self.replies == ["blocked"]
            self.leaves(player, goodbye=False)
        else:
            assert code == 1013, f"{player} is closed with {code}"
            is_idle = player.house is None and player.call is None and not player.was_connected
            assert player.refused or (is_idle and self.is_limited)

    def dropped(self, player: Player) -> None:
        """A player was cut off: a holder that gave no sign of life."""
        house = player.house
        assert house is not None and house.holder is player
        challenge = self.challenges[house.remote_id]
        assert not challenge.proved, f"{player} has answered"
        assert self.now == challenge.at + self.world.settings.takeover_timeout
        self.leaves(player, goodbye=False)
        self.houses.pop(house.remote_id).evicted = True

    # What players deserve

    def _judge(self) -> None:
        for house in self.all_houses:
            house.over = self.is_over(house)
            self._judge_house(house)
        assert all(house.over for house in self._bereaved), "a client heard of an end that is none"
        for player, house in self._moving:
            assert player.house is not house, f"{player} is not the only holder of {house.remote_id}"
        self._bereaved, self._moving = [], []
        self.all_houses = [house for house in self.all_houses if not house.over]
        self.houses = {name: house for name, house in self.houses.items() if not house.over}
        for remote_id, challenge in self.challenges.items():
            assert not challenge.proved and self.houses[remote_id].holder is challenge.holder
            assert self.now < challenge.at + self.world.settings.takeover_timeout, (
                "a newcomer is not answered"
            )
            assert all(player.is_there for player in challenge.newcomers)
        self._compare()

    def _judge_house(self, house: House) -> None:
        for call in house.calls:
            if house.over and house.evicted and call.is_open and not call.over:
                self.hang_up(call, tell=False)
            assert not call.to_client and (call.bye_owed or not call.bye_heard)
            if house.holder is not None:
                assert call.bye_heard == call.bye_owed, f"the home does not hear that {call} is over"
                assert not call.to_home, f"letters of {call} are lost"
            if not call.over:
                assert not house.over, f"{call} goes on, without a home"
                self._judge_call(call)
        house.calls = [
            call for call in house.calls if not call.over or call.to_home or call.bye_owed != call.bye_heard
        ]

    def _judge_call(self, call: Call) -> None:
        assert call.client.is_there and call.client.call is call
        holder = call.house.holder
        if holder is not None and not (call.is_open and call.spoken):
            assert call.told is holder, f"{holder} does not hear of {call}"
        if not call.is_open:
            park_ends = call.at + self.world.settings.park
            assert self.now < (park_ends if holder is None else self._unready_at(call)), (
                f"no answer to {call}"
            )

    def _compare(self) -> None:
        """The hub must see it like the referee."""
        hub = self.world.hub
        counts = hub.counts()
        calls = [call for call in self.calls.values() if not call.over]
        assert counts["servers"] == sum(house.holder is not None for house in self.houses.values())
        assert counts["clients"] == sum(call.is_open for call in calls)
        assert counts["pendingClients"] == sum(not call.is_open for call in calls)
        homes = hub.registry._homes
        assert homes.keys() == self.houses.keys()
        for name, house in self.houses.items():
            assert homes[name].connection is (house.holder and house.holder.connection)
            assert json.loads(homes[name].ice_servers or b"null") == house.ice
        for player in self.players:
            connection = player.connection
            assert (player.closed or (0, ""))[0] == 1013 or not player.refused
            assert (connection in hub._connections) == player.is_there
            assert connection.remote_id == (player.house and player.house.remote_id)
            session = hub.sessions.by_client.get(connection)
            assert (session and session.id) == (player.call and player.call.id)
            claims = [name for name, each in self.challenges.items() if player in each.newcomers]
            assert claims == [claim for claim in [connection.claim] if claim is not None]

    def judge_end(self) -> None:
        """When everybody has gone and the grace is over, nothing is left."""
        hub = self.world.hub
        self.world.advance(self.world.settings.grace)
        assert not self.world.clock.timers, f"left behind: {self.world.clock.timers}"
        assert not (hub._connections or hub._silent._by_key or hub.sessions._by_id or hub.sessions._by_home)
        registry = hub.registry
        assert not (registry._homes or registry.evicted or registry.takeovers._claims or registry._held.bytes)
        self.world.advance(24 * 3600)
        hub.limits.prune(self.now)
        counts = hub.counts() | hub.limits.counts()
        assert not any(counts[name] for name in counts if name != "rateLimiter"), counts
