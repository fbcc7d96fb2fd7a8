"""What peers may expect of the hub, whatever they do: a referee that sees every message and knows what each is owed.

It predicts as little as possible. It learns most transitions from messages (who was sent `registered`, who was closed
and how), and judges them by the players' earlier actions. What a player is owed must have come by the end of a turn.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ma_signaling.core.answering import ANSWER_SECONDS
from ma_signaling.core.contest import PROOF_SECONDS
from ma_signaling.core.opening import CONNECTED_DEADLINE
from tests.model.hub_contests import Contests
from tests.model.hub_game import Call, House, Letter, Player
from tests.support.memory_hub import Message, World


class Referee(Contests):
    """Judges a game, turn by turn."""

    def __init__(self, world: World, *, is_limited: bool) -> None:
        super().__init__(world)
        self.is_limited = is_limited
        self._bereaved: list[House] = []
        """Houses whose clients were told in this turn that their calls are over."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A context for one turn: at its end, every player must have got what it is owed."""
        self.is_sound = False
        yield
        self.world.advance(0)
        self._judge()
        self.is_sound = True

    # What players hear

    def heard(self, player: Player, message: Message) -> None:
        session_id: str = message.get("sessionId", "")
        if message["type"] == "client-connected" and session_id not in self.calls and self.requesting is None:
            player.proof_sessions[session_id] = self.now
        elif message["type"] == "client-disconnected" and session_id in player.proof_sessions:
            del player.proof_sessions[session_id]
            assert player.connection.asking is not None
            self._answered_for.add((player, player.connection.asking.remote_id))
        else:
            super().heard(player, message)

    def _registered(self, player: Player, remote_id: str) -> None:
        house = self.houses.get(remote_id)
        if house is not None and house.holder is player:
            assert self.acting is player and self.registering == remote_id, f"{player} is registered twice"
            house.ice = player.ice[remote_id] or house.ice
        else:
            self._gets(player, remote_id)

    def _announced(self, player: Player, call: Call) -> None:
        assert call.house.holder is player, f"{player} hears of {call}, which is for {call.house}"
        assert not call.over and not call.answered, f"{call} is announced too late"
        assert call.told is not player, f"{player} hears twice of {call}"
        assert call.is_reset == (call.told is not None), f"{player} must hear first that {call} begins anew"
        call.told, call.told_at, call.is_reset = player, self.now, False
        call.to_home = list(call.kept)

    def name(self, call: Call, session_id: str) -> None:
        super().name(call, session_id)
        call.house.calls.append(call)

    def _client_disconnected(self, player: Player, call: Call) -> None:
        assert call.house.holder is player and call.told is not None, f"{player} never heard of {call}"
        if not call.over and not call.answered and call.told is not player:
            assert not call.is_reset
            call.is_reset = True
            return
        assert not call.bye_heard, f"{player} hears twice that {call} is over"
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
        return min(call.told_at + self.world.settings.ready_timeout, call.at + CONNECTED_DEADLINE)

    def _error(self, player: Player, code: str) -> None:
        if code == "remote-id-taken":
            self._refused(player)
        elif player is self.acting:
            self.replies.append(code)
        else:
            assert player.call is not None, f"{player} hears {code} for nothing"
            self._call_failed(player.call, code)

    def _call_failed(self, call: Call, code: str) -> None:
        if code == "home-busy":
            assert self.is_limited, f"{call} was crowded out"
        elif code == "server-not-found":
            house = call.house
            assert not call.is_open and house.away_since is not None
            assert self.now == max(call.at + self.world.settings.park, house.away_since)
        else:
            assert code == "server-disconnected" and not call.is_open, f"{call} fails with {code}"
            self._bereaved.append(call.house)
        self.hang_up(call, tell=code != "server-disconnected")

    def judge_crowding(self, house: House) -> None:
        """After a call too many, assert that the newest one of the address with most has ended, maybe in silence."""
        calls = [call for call in house.calls if not call.over]
        if not self.is_limited or len(calls) <= self.world.settings.home_sessions:
            return
        sessions = self.world.hub.sessions
        (ended,) = [call for call in calls if sessions.get(call.id) is None]
        assert ended.answered, f"{ended} ends in silence"
        per_address = Counter(call.client.address.key for call in calls)
        of_address = [call for call in calls if call.client.address.key == ended.client.address.key]
        assert ended is of_address[-1] and len(of_address) == max(per_address.values())
        self.hang_up(ended, tell=False)

    def _peer_disconnected(self, call: Call) -> None:
        is_late = call.answer_due is not None and self.now >= call.answer_due and not call.answered
        if is_late and call.house.holder is not None:
            self.hang_up(call, tell=True)
            return
        assert not call.suspended, f"{call.client} should not notice"
        self._bereaved.append(call.house)
        self.hang_up(call, tell=False)

    def _forwarded(self, player: Player, message: Message, letter: Letter) -> None:
        call = letter.call
        assert call is not None, f"{player} hears {message}, which is none of its business"
        if letter.to_home:
            assert call.house.holder is player, f"{player} hears another's {message}"
            assert call.told is player or call.answered, f"{player} has yet to hear of {call}"
            assert not call.suspended, f"{player} must prove itself before it hears {message}"
            is_offer = message["type"] == "offer"
            assert not (is_offer and self.are_asked(call.house.remote_id)), (
                f"{player} hears {message} too early"
            )
            assert message == letter.fields | {"sessionId": call.id}
            if is_offer and not call.answered:
                call.answer_due = self.now + ANSWER_SECONDS
            elif is_offer:
                call.offered_again_at = self.now
        else:
            assert player.call is call and not call.suspended, f"{player} hears another's {message}"
            assert message == letter.fields
        queue = call.to_home if letter.to_home else call.to_client
        assert queue[:1] == [message["data"]], f"{player} hears {message} again or out of order"
        del queue[0]

    def closed(self, player: Player, code: int) -> None:
        """Judge that a player was closed."""
        if code == 4008:
            assert self.acting is player and self.replies == ["blocked"]
            self.leaves(player, goodbye=False)
        elif code == 1013 and player.house is not None and not player.refused:
            self._displaced(player)
        else:
            assert code == 1013, f"{player} is closed with {code}"
            is_idle = player.house is None and player.call is None and not player.was_connected
            assert player.refused or (is_idle and self.is_limited)

    # What players are owed

    def _judge(self) -> None:
        self._judge_contests()
        for house in self.houses.values():
            house.over = self.is_over(house)
            self._judge_house(house)
        assert all(house.over or self.is_kept(house) or house.holder for house in self._bereaved)
        self._bereaved = []
        self.houses = {name: house for name, house in self.houses.items() if not house.over}
        for player in self.there():
            asking = player.asking
            assert list(player.proof_sessions) == ([] if asking is None else [asking.session_id])
        self._compare()

    def _judge_house(self, house: House) -> None:
        calls = []
        for call in house.calls:
            if house.holder is None and call.answered and not call.over and not self._is_in_grace(house):
                call.suspended, house.suspended_at = True, self._end_of_grace(house)
            if call.suspended and not self._judge_suspended(call):
                continue
            assert not call.to_client and (call.bye_owed or not call.bye_heard)
            if house.holder is not None and not call.suspended:
                self._judge_delivery(call)
            if not call.over:
                assert not house.over, f"{call} goes on, without a home"
                is_left = house.holder is None and not self._is_in_grace(house)
                may_wait = call.suspended or not call.is_open
                assert may_wait or not is_left or call.at > (house.away_since or 0), f"{call} goes on"
                self._judge_call(call)
            if not call.over or call.bye_owed != call.bye_heard:
                calls.append(call)
        house.calls = calls

    def _is_in_grace(self, house: House) -> bool:
        return house.away_since is not None and self.now < house.away_since + self.world.settings.grace

    def _end_of_grace(self, house: House) -> float:
        return (house.away_since or 0.0) + self.world.settings.grace

    def _judge_delivery(self, call: Call) -> None:
        """Assert that a connected home has got what it is owed in a call."""
        waits = call.to_home[:1]
        call.held = (waits[0], self.now) if waits and waits != [call.held and call.held[0]] else call.held
        assert not (waits and call.held) or self.now - call.held[1] <= PROOF_SECONDS, (
            f"an offer of {call} waits"
        )
        is_held = self.are_asked(call.house.remote_id)
        kinds = [self.letters[number].fields["type"] for number in call.to_home]
        assert not kinds or (is_held and kinds[0] == "offer"), f"letters of {call} are lost"
        assert call.bye_heard == call.bye_owed or is_held, f"the home does not hear that {call} is over"

    def _judge_call(self, call: Call) -> None:
        assert call.client.is_there and call.client.call is call
        holder = call.house.holder
        if holder is not None and not call.answered:
            assert call.told is holder, f"{holder} does not hear of {call}"
        is_late = call.answer_due is not None and self.now >= call.answer_due
        assert holder is None or call.answered or not is_late, f"{call} has no answer"
        if not call.is_open:
            park_ends = call.at + self.world.settings.park
            assert self.now < (park_ends if holder is None else self._unready_at(call)), (
                f"no answer to {call}"
            )

    def _compare(self) -> None:
        """Assert that the hub's state is the referee's."""
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
            # While the home is away, nobody is told its ICE servers.
            assert json.loads(homes[name].ice_servers or b"null") == (house.holder and house.ice)
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
        """Assert that nothing is left, after everybody has left and the grace time is over."""
        hub = self.world.hub
        self.world.advance(self.world.settings.grace + 660)
        assert not self.world.clock.timers, f"left behind: {self.world.clock.timers}"
        assert not (hub._connections or hub._silent._by_key or hub.sessions._by_id or hub.sessions._by_home)
        registry = hub.registry
        assert not (registry._homes or registry.grace._suspension._waits or registry._held_bytes.used)
        assert not (registry.contests.by_remote_id or registry.contests.newcomers)
        proofs = registry.contests.proofs
        assert not (proofs.of_holders.under_way.used or proofs.of_newcomers.under_way.used)
        self.world.advance(24 * 3600)
        hub.limits.prune(self.now)
        counts = hub.counts() | hub.limits.counts()
        assert not any(counts[name] for name in counts if name != "rateLimiter"), counts
