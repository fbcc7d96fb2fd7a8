"""What peers may expect of a cluster: a referee who sees every message that any of them hears, when it is heard.

Promises that hold whatever the bus does are asserted immediately. Promises that faults may break are asserted only if
there were none lately (`is_calm`). The referee predicts nothing: who holds what, it learns from the messages.
"""

from __future__ import annotations

from ma_signaling.cluster.claims import MOST_TRIES, SLACK_SECONDS
from ma_signaling.cluster.registrations import REPEAT_SECONDS
from ma_signaling.core.answering import ANSWER_SECONDS as EXACT_ANSWER_SECONDS
from ma_signaling.core.contest import HOLDER_SECONDS, PROOF_SECONDS
from ma_signaling.core.opening import CONNECTED_DEADLINE as EXACT_DEADLINE
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.probe import BUSY_SECONDS
from ma_signaling.core.remote_id import is_fingerprint
from tests.model.cluster_game import Call, Event, Letter, Player
from tests.model.game import BaseReferee, same_place
from tests.support.memory_cluster import Cluster
from tests.support.memory_hub import Message

CONNECTED_DEADLINE = EXACT_DEADLINE + 0.001  # floats don't add up
ANSWER_SECONDS = EXACT_ANSWER_SECONDS - 0.001

CONTEST = HOLDER_SECONDS + 2 * (PROOF_SECONDS + SLACK_SECONDS)
"""Seconds that the proofs of a contest take: the holder's, and those of two rounds of newcomers."""

OWNER_SECONDS = 30.0 + SLACK_SECONDS
"""Seconds within which the holder of the key gets its Remote ID."""

QUIET_SETTLING = 10.0 + CONTEST
"""Seconds after which all nodes agree, if there was never a fault: a contest, and a lookup."""

GRACE = 35.0
"""Seconds that a home or the bus may be away so that calls surely go on; nodes learn of it a little later."""

RIPPLE = 2.0
"""Seconds after which all consequences of one event have arrived, if nothing is lost."""

SETTLING = REPEAT_SECONDS + 10 + CONTEST
"""Seconds after the last fault until all nodes agree: a slow repeat, and the contest that follows from it."""


class Referee(BaseReferee[Player, Call, Letter]):
    """Judges what players hear."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster
        self.held_from: dict[str, ClientAddress] = {}
        """The address of the latest holder of each Remote ID."""
        self.events: list[Event] = []
        self.is_faulty = False
        self.last_fault = float("-inf")
        """When the bus or a node was last at fault."""
        self.outage = 0.0
        """For how many seconds there were faults, in all."""
        self.stopped: set[int] = set()
        """Nodes that were shut down, or died."""

    @property
    def now(self) -> float:
        return self.cluster.clock.seconds()

    def is_calm(self, seconds: float) -> bool:
        """Return whether there was no fault for so many seconds."""
        return not self.is_faulty and self.now - self.last_fault >= seconds

    @property
    def newcomer_seconds(self) -> float:
        """Return the longest wait of a newcomer: a busy holder has 20 s, proofs follow, and each try may fail."""
        one_try = self.cluster.worlds[0].settings.takeover_timeout + SLACK_SECONDS
        return BUSY_SECONDS + CONTEST + (MOST_TRIES + 1) * one_try + 0.001

    def homes(self, remote_id: str) -> list[Player]:
        """Return the players that hold a Remote ID, as far as they know."""
        return [player for player in self.players if player.is_home and player.remote_id == remote_id]

    def judge_waiting(self) -> None:
        """Assert that nobody waits for too long."""
        for player in self.players:
            if not player.is_there:
                continue
            call = player.call
            if call is not None and not call.is_open:
                assert self.now - call.at <= CONNECTED_DEADLINE, f"{call} is not answered"
            if player.waits_for:
                self._judge_newcomer(player)

    def _judge_newcomer(self, player: Player) -> None:
        waits_for = player.waits_for
        changes = [event.at for event in self.events if event.remote_id == waits_for]
        since = max(player.asked[waits_for], *changes, 0.0)
        assert self.now - since <= self.newcomer_seconds, f"{player} waits"
        is_owner = player.can_prove(waits_for) and not self._has_failed(player, waits_for)
        if is_owner and self.is_calm(self.now - since):
            assert self.now - since <= OWNER_SECONDS, f"{player} holds the key, and waits"

    def heard(self, player: Player, message: Message) -> None:
        session_id: str = message.get("sessionId", "")
        if message["type"] == "client-connected" and session_id not in self.calls and self.requesting is None:
            player.asked_for_proof(session_id)
        elif message["type"] == "client-disconnected" and session_id in player.proof_sessions:
            player.proof_sessions.remove(session_id)
        else:
            super().heard(player, message)

    # What players hear

    def _registered(self, player: Player, remote_id: str) -> None:
        if player.remote_id == remote_id:
            return
        assert player.waits_for == remote_id, f"{player} did not ask for {remote_id}"
        if player.remote_id:
            self.event(player.remote_id, is_orderly=False)
        homes = self.homes(remote_id)
        before = [event.at for event in self.events if event.remote_id == remote_id]
        is_in_time = bool(homes) or self.now - max(before, default=self.now) <= GRACE
        # Where proof can't be had, answered calls go on with the same address only.
        is_same = same_place(self.held_from.get(remote_id, player.address), player.address)
        is_orderly = is_in_time and (player.can_prove(remote_id) if is_fingerprint(remote_id) else is_same)
        self.held_from[remote_id] = player.address
        player.remote_id, player.registered_at, player.waits_for = remote_id, self.now, ""
        player.held[remote_id] = self.now
        self.event(remote_id, is_orderly=is_orderly)

    def _announced(self, player: Player, call: Call) -> None:
        self._judge_home(player, call)
        assert player not in call.told, f"{player} hears twice of {call}"
        call.told.append(player)
        if not call.answered:
            self._begins_anew(call)

    def _begins_anew(self, call: Call) -> None:
        """Expect that the client's letters so far are delivered again."""
        for letter in self.letters:
            if letter.call is call and letter.sender is call.client:
                letter.is_delivered = False

    def _client_disconnected(self, player: Player, call: Call) -> None:
        # The end of a call tells nothing about it, so any later holder of the Remote ID may hear of it.
        assert player.remote_id == call.remote_id, f"{player} hears of {call}, which is for another home"
        answered_by = call.answered_by
        # With two holders, one may have been called, and the other may have answered.
        is_up = answered_by is not None and answered_by.address.key == player.address.key
        assert call.may_tell or not is_up, f"{player} is to end {call}, which may be up"
        if player in call.told:
            call.told.remove(player)

    def _judge_home(self, player: Player, call: Call) -> None:
        """Assert that a home may hear of a call."""
        assert player.remote_id == call.remote_id, f"{player} hears of {call}, which is for another home"
        before = call.home
        if before is not None and before.dropped and call.answered and self.last_fault < call.at:
            is_its = player.can_prove(call.remote_id) or same_place(before.address, player.address)
            assert is_its, f"{player} hears of {call} with {before}"
        call.home = player

    def _connected(self, call: Call, message: Message) -> None:
        assert message["sessionId"] == call.id and message["remoteId"] == call.remote_id
        assert self.now - call.at <= CONNECTED_DEADLINE

    def _error(self, player: Player, code: str) -> None:
        if code == "remote-id-taken":
            self._judge_refused(player, player.waits_for or player.remote_id)
            player.refused, player.waits_for = True, ""
        elif player.call is not None and not player.call.is_open and code != "session-not-found":
            assert self.now - player.call.at <= CONNECTED_DEADLINE
            if code == "server-not-found":
                self._judge_not_found(player.call)
            self.hang_up(player.call)
        else:
            assert code in {"client-not-found", "session-not-found", "wrong-role"}, f"{player} hears {code}"

    def _judge_refused(self, player: Player, remote_id: str) -> None:
        """Assert that a refused newcomer, or one of two holders, has a rival that takes precedence."""
        assert remote_id, f"{player} is refused, and had not asked"
        rivals = [other for other in self.players if other is not player and remote_id in other.held]
        assert rivals, f"{player} had no rival"
        if player.can_prove(remote_id) and self.is_calm(SETTLING) and not self._has_failed(player, remote_id):
            # A winner on another node may hear of it later than the others; one that is refused as well was no rival.
            rivals += [
                other for other in self.players if other.waits_for == remote_id and other is not player
            ]
            assert any(other.can_prove(remote_id) for other in rivals), (
                f"{player} holds the key, and is refused"
            )

    def _has_failed(self, player: Player, remote_id: str) -> bool:
        """Return whether somebody at a player's address may have failed to prove a Remote ID."""
        same = [other for other in self.players if other.address.key == player.address.key]
        return any(remote_id in other.asked and not other.can_prove(remote_id) for other in same)

    def _judge_not_found(self, call: Call) -> None:
        """Assert that no home that is connected was missed, unless by a fault."""
        steady = [home for home in self.homes(call.remote_id) if home.registered_at < call.at - RIPPLE]
        assert not (steady and self.is_calm(SETTLING)), f"{steady} is not found for {call}"

    def _peer_disconnected(self, call: Call) -> None:
        home = call.home
        is_unanswered = not call.answered and any(
            letter.call is call
            and letter.fields["type"] == "offer"
            and self.now - letter.at >= ANSWER_SECONDS
            for letter in self.letters
        )
        if is_unanswered:
            self.hang_up(call)
            return
        # A home that waits for another Remote ID may just have got that one.
        if home is not None and home.is_home and home.remote_id == call.remote_id and not home.waits_for:
            assert not self.is_calm(SETTLING), f"{call.client} loses {home}, which is there"
        self.hang_up(call)

    def _forwarded(self, player: Player, message: Message, letter: Letter) -> None:
        call = letter.call
        if letter.is_delivered:
            # The news that the call begins anew may have got lost.
            assert self.last_fault >= letter.at and not call.answered, f"{letter} arrives twice"
            self._begins_anew(call)
        letter.arrived = letter.is_delivered = True
        to_home = letter.sender is call.client
        if to_home:
            assert message == {**letter.fields, "sessionId": call.id}
            self._judge_home(player, call)
        else:
            assert message == letter.fields
            assert player.call is call and call.is_open, f"{player} hears {letter}, which is for {call}"
            call.home = letter.sender
            if message["type"] == "answer":
                call.answered = True
                if letter.sender in call.told:
                    # Otherwise the news that the call begins anew with it may be on its way.
                    call.answered_by = letter.sender
        for other in self.letters[message["data"] + 1 :]:
            is_of_it = other.call is call and other.sender is letter.sender
            assert not (is_of_it and other.is_delivered), f"{letter} comes after {other}"

    # Ends of connections and calls

    def closed(self, player: Player, code: int) -> None:
        """Judge that a player's connection was closed."""
        match code:
            case 1012:
                assert player.node in self.stopped, f"{player} goes"
            case 1013:
                is_beaten = any(other.can_prove(player.remote_id) for other in self._rivals(player))
                assert player.refused or is_beaten, f"{player} is sent away, and was not refused"
                is_owner = player.can_prove(player.remote_id) and self.is_calm(SETTLING)
                assert player.refused or not is_owner, f"{player} holds the key, and goes"
            case _:
                raise AssertionError(f"{player} is closed with {code}")
        self.gone(player, is_orderly=player.node in self.stopped)

    def dropped(self, player: Player) -> None:
        """Judge that a player's connection was cut, since it did not answer a ping."""
        assert player.is_silent, f"{player} is dropped, and had answered"
        assert self._rivals(player), f"nobody wants what {player} has"
        self.gone(player, is_orderly=False)

    def gone(self, player: Player, *, is_orderly: bool) -> None:
        """Note that a player is gone."""
        player.gone_at = self.now
        if player.remote_id:
            self.event(player.remote_id, is_orderly=is_orderly)
        if player.call is not None:
            is_killed = player.left and player.node in self.stopped
            assert player.call.is_open or is_killed or not player.closed, f"{player} has no answer"
            self.hang_up(player.call, may_tell=player.said_goodbye)

    def hang_up(self, call: Call, *, may_tell: bool = True) -> None:
        """End a call for its client."""
        self.end(call)
        call.may_tell = may_tell

    def event(self, remote_id: str, *, is_orderly: bool) -> None:
        """Note that something has happened to a Remote ID's holders."""
        self.events.append(Event(self.now, remote_id, is_orderly))

    def _rivals(self, player: Player) -> list[Player]:
        """Return players that may have asked for the Remote ID that a player holds, or hold it as well."""
        remote_id, since = player.remote_id, self.now - self.newcomer_seconds
        others = [other for other in self.players if other is not player and remote_id in other.asked]
        return [other for other in others if other.asked[remote_id] >= since or other.remote_id == remote_id]
