"""The moves of players, each with its immediate result; the referee knows all other results."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from ma_signaling.core.peer import ClientAddress
from tests.model.hub_board import Board
from tests.model.hub_game import Call, Challenge, Letter, Player


class Match(Board):
    """A game with its moves."""

    # Coming and going

    def connect(
        self, address: ClientAddress, *, has_key: bool = False, is_prompt: bool = False
    ) -> Player | None:
        """Let a player connect, unless limits forbid it."""
        with self.turn():
            if self.world.hub.entrance.admit(address, None) is not None:
                assert self.is_limited
                return None
            self.players.append(Player(self.world.hub, address, self, has_key=has_key, is_prompt=is_prompt))
        return self.players[-1]

    def leave(self, player: Player, *, goodbye: bool) -> None:
        """Let a player leave, or let its connection end after the hub has closed or dropped it."""
        with self.turn():
            if player.is_there:
                self.leaves(player, goodbye=goodbye)
            if goodbye:
                player.goodbye()
            else:
                player.breaks()

    def advance(self, seconds: float) -> None:
        """Let time pass; each moment at which the hub does something is a turn."""
        clock = self.world.clock
        end = clock.seconds() + seconds
        while clock.seconds() < end:
            due = min((timer.due for timer in clock.timers), default=end)
            with self.turn():
                clock.advance(min(due, end) - clock.seconds())
            self.prove_promptly()

    def stall(self, seconds: float, pongs: list[tuple[Player, bytes]]) -> None:
        """Let the loop stand still: timers are due before it reads the pongs that came meanwhile."""
        with self.turn():
            verdicts: list[Callable[[], None]] = []
            self._stalled = verdicts
            self.world.advance(seconds)
            for player, payload in pongs:
                self._pong(player, payload)
            for verdict in verdicts:
                verdict()
            self._stalled = None
        self.prove_promptly()

    # Homes

    def register(self, player: Player, remote_id: str, ice: Any) -> None:
        """Let a player ask for a Remote ID."""
        if not self._stir(player):
            return
        connection = player.connection
        if (connection.claim or connection.remote_id) not in (None, remote_id):
            # Without the limit of ten a minute, for which the game has no rule.
            self.world.hub.limits._changes.discard(connection.address.key)
        with self.turn():
            house = self.houses.get(remote_id)
            holder = house.holder if house is not None else None
            is_client = player.is_client
            # A newcomer waits for one verdict at a time.
            for other, pending in list(self.challenges.items()):
                if other != remote_id:
                    self.withdraw(pending, other, player)
            self.registering = remote_id
            player.forget()
            challenge = self.challenges.get(remote_id)
            self.offers(player, remote_id, ice)
            if holder not in {None, player} and not is_client and challenge is None:
                assert holder is not None
                challenge = self.challenges[remote_id] = Challenge(holder, self.now, began=self.now)
            is_rival = challenge is not None and holder is not player and not is_client
            if challenge is not None and is_rival and player not in challenge.newcomers:
                challenge.newcomers.append(player)
                player.asked_since[remote_id] = self.now
            replies = self.say(player, "register-server", remoteId=remote_id, iceServers=ice)
            hears = player.connection.hears_errors
            assert replies == (["wrong-role"] if is_client and hears else [])
            if is_client or player.refused:
                return
            if challenge is None or holder is player:
                assert player.heard_of("registered"), f"{player} must get it at once"
        self.prove_promptly()

    def pong(self, player: Player, payload: bytes) -> None:
        """Let a player answer a ping, however old."""
        with self.turn():
            self._pong(player, payload)
        self.prove_promptly()

    def _pong(self, player: Player, payload: bytes) -> None:
        for challenge in self.challenges.values():
            if challenge.holder is player and payload and challenge.payload == payload:
                challenge.lives = True
        player.pong(payload)

    def _stir(self, player: Player) -> bool:
        """Let a player give a sign of life before its move, since that alone may give it another Remote ID.

        Returns whether it is still there: the Remote ID may have gone to somebody else by that.
        """
        if any(challenge.holder is player and not challenge.lives for challenge in self.challenges.values()):
            with self.turn():
                self.say(player, "pong")
            self.prove_promptly()
        return player.is_there

    def prove(self, player: Player) -> None:
        """Let a player who is asked for proof give it, or fail."""
        asking = player.asking
        assert asking is not None
        with self.turn():
            if not player.has_key:
                asking.failed("another certificate")
                return
            remote_id = asking.remote_id
            if remote_id == player.connection.claim:
                self.proving = player
                asking.proved()
                self.proving = None
                assert player.connection.remote_id == remote_id, f"{player} has proved it, and hasn't got it"
            else:
                self.holder_proved(player)
                asking.proved()
                home = self.world.hub.registry.find(remote_id)
                assert home is None or not home.suspended, f"calls of {player} still wait"

    def prove_promptly(self) -> None:
        """Let prompt players prove themselves."""
        while prompt := [player for player in self.asked() if player.is_prompt and player.has_key]:
            self.prove(prompt[0])

    def ready(self, home: Player, call: Call, ice: Any) -> None:
        """Let a home be ready for one of its calls."""
        if not self._stir(home) or call.over or call.house.holder is not home:
            return
        with self.turn():
            self.readying = call, ice
            replies = self.say(home, "session-ready", sessionId=call.id, iceServers=ice)
            self.readying = None, None
            assert not replies and call.is_open

    def home_says(self, home: Player, call: Call, kind: str) -> None:
        """Let a home send a letter in one of its calls."""
        if not self._stir(home) or call.over or call.house.holder is not home:
            return
        with self.turn():
            if call.is_open:
                is_deaf = call.client.congested and not call.suspended
                self._send(home, kind, call, call.id, "home-busy" if is_deaf else "")
            else:
                self._send(home, kind, None, call.id, "client-not-found")

    def meddle(self, player: Player, call: Call, kind: str) -> None:
        """Let a player send a letter in a call that is over, or as if it were the call's home: it reaches nobody."""
        if (
            not self._stir(player)
            or player in self.clients()
            or (player is call.house.holder and not call.over)
        ):
            return
        with self.turn():
            if kind == "session-ready":
                replies = self.say(player, kind, sessionId=call.id)
                is_stranger = player.house is None and not (call.over or call.is_open)
                assert replies == (["not-a-server"] if is_stranger else [])
            elif player.house is None:
                self._send(player, kind, None, call.id, "not-registered")
            else:
                self._send(
                    player, kind, None, call.id, "client-not-found", "" if call.over else "client-not-found"
                )

    # Clients

    def request(self, player: Player, remote_id: str) -> None:
        """Let a player ask for a home."""
        if not self._stir(player):
            return
        with self.turn():
            house = self.houses.get(remote_id)
            if house is not None and self.is_given_up(house):
                house = None
            call = self.requesting = Call(player, self.now, house=house) if house is not None else None
            is_home = player.house is not None or self.is_newcomer(player)
            before = player.call
            replies = self.say(player, "connect-request", remoteId=remote_id)
            self.requesting = None
            if is_home:
                assert replies == ["wrong-role"]
                return
            if replies in (["rate-limited"], ["blocked"]):
                assert self.is_limited
                return
            if before is not None:
                self.hang_up(before, tell=True)
            if call is None or house is None:
                assert replies == ["server-not-found"]
            elif replies:
                is_congested = house.holder is not None and house.holder.congested
                assert replies == ["home-busy"] and (is_congested or self.is_limited)
            else:
                player.call = call
                if not call.id:
                    session = self.world.hub.sessions.by_client[player.connection]
                    self.name(call, session.id)
                self.judge_crowding(house)

    def client_says(self, player: Player, kind: str, claimed: Call | None) -> None:
        """Let a client send a letter, which may name any call."""
        session_id = claimed.id if claimed is not None else None
        with self.turn():
            call = player.call
            if not player.is_client:
                # Its request was answered with an error, so it has no role.
                self._send(player, kind, None, session_id, "not-registered")
            elif (
                claimed is not None
                and claimed is not call
                and player.connection.means_earlier(claimed.id, None if call is None else call.id)
            ):
                self._send(player, kind, None, session_id, "")
            elif call is not None and call.is_open:
                holder = call.house.holder
                is_held = kind == "offer" and self.are_asked(call.house.remote_id)
                must_wait = is_held or call.suspended or bool(call.to_home)
                is_congested = holder is not None and holder.congested and not must_wait
                self._send(player, kind, call, session_id, "home-busy" if is_congested else "")
            elif call is not None:
                self._send(player, kind, None, session_id, "session-not-found")
            else:
                self._send(player, kind, None, session_id, "session-not-found", "")

    def _send(
        self, player: Player, kind: str, call: Call | None, session_id: str | None, *replies: str
    ) -> None:
        """Send a letter for `call`, or for nobody; `replies` are the errors that are right, "" for none."""
        number = len(self.letters)
        fields = self.letter_fields(kind, **({} if session_id is None else {"sessionId": session_id}))
        to_home = call is not None and call.client is player
        self.letters.append(Letter(fields, call, to_home))
        queue = [] if call is None else call.to_home if to_home else call.to_client
        if call is None or to_home or not call.suspended:
            queue.append(number)
        is_silent = kind == "ice-candidate" or not player.connection.hears_errors
        got = self.say(player, **fields)
        if is_silent:
            assert not got, f"{got} does harm"
            got = [code for code in replies[:1] if code and "" not in replies]
        assert "".join(got) in replies, f"{got} and not one of {replies}"
        if got:
            if number in queue:
                queue.remove(number)
        elif call is not None and to_home:
            call.offered = call.offered or kind == "offer"
            if not call.answered:
                call.kept.append(number)
        elif call is not None and kind == "answer" and not call.suspended:
            call.answered, call.answered_at, call.offered_again_at = True, player.address, -inf
            call.kept.clear()
