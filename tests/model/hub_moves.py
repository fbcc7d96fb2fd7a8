"""What players can do, each move with what must come of it at once; what else must, the referee knows."""

from __future__ import annotations

from typing import Any

from ma_signaling.core.peer import ClientAddress
from tests.model.hub_game import Call, Challenge, House, Letter, Player
from tests.model.hub_referee import Referee


class Match(Referee):
    """A game with its moves."""

    # Who and what there is

    def gone(self) -> list[Player]:
        """Players who have left, or whom the hub has closed or dropped."""
        return [player for player in self.players if not player.is_there]

    def homes(self) -> list[Player]:
        """Players who hold a Remote ID."""
        return [player for player in self.there() if player.house is not None]

    def clients(self) -> list[Player]:
        """Players who have, or had, a session."""
        return [player for player in self.there() if player.is_client]

    def away(self) -> list[House]:
        """Houses that may still be taken over."""
        return [house for house in self.all_houses if house.holder is None and not house.over]

    def all_calls(self) -> list[Call]:
        """All calls that there ever were."""
        return list(self.calls.values())

    def open_calls(self) -> list[Call]:
        """Calls in which both may speak."""
        return [call for call in self.calls.values() if call.is_open and not call.over]

    def home_calls(self) -> list[tuple[Player, Call]]:
        """Homes, and the calls that they have."""
        calls = [call for call in self.calls.values() if not call.over]
        return [(call.house.holder, call) for call in calls if call.house.holder is not None]

    def pongs(self) -> list[tuple[Player, bytes]]:
        """Players, and the pongs that they may send: in time, late, or to no ping."""
        answers = [(player, payload) for player in self.players for payload in player.pings]
        return answers + [(challenge.holder, b"") for challenge in self.challenges.values()]

    def is_newcomer(self, player: Player) -> bool:
        """Whether a player waits for a Remote ID."""
        return any(player in challenge.newcomers for challenge in self.challenges.values())

    # Coming and going

    def connect(self, address: ClientAddress) -> Player | None:
        """A player comes, unless the limits are against it."""
        with self.turn():
            if self.world.hub.admit(address, None) is not None:
                assert self.is_limited
                return None
            self.players.append(Player(self.world.hub, address, self))
        return self.players[-1]

    def leave(self, player: Player, *, goodbye: bool) -> None:
        """A player goes, or its connection follows the end that the hub has made."""
        with self.turn():
            if player.is_there:
                self.leaves(player, goodbye=goodbye)
            if goodbye:
                player.goodbye()
            else:
                player.breaks()

    def advance(self, seconds: float) -> None:
        """Time goes by; each moment at which the hub does something is a turn."""
        clock = self.world.clock
        end = clock.seconds() + seconds
        while clock.seconds() < end:
            due = min((timer.due for timer in clock.timers), default=end)
            with self.turn():
                clock.advance(min(due, end) - clock.seconds())

    # Homes

    def register(self, player: Player, remote_id: str, ice: Any) -> None:
        """A player asks for a Remote ID."""
        with self.turn():
            house = self.houses.get(remote_id)
            holder = house.holder if house is not None else None
            is_client = player.is_client
            # It waits for one verdict at a time.
            for other, pending in list(self.challenges.items()):
                if other != remote_id:
                    self.withdraw(pending, other, player)
            player.ice[remote_id], self.registering = ice, remote_id
            player.forget()
            pings = list(holder.pings) if holder is not None else []
            replies = self.say(player, "register-server", remoteId=remote_id, iceServers=ice)
            assert replies == (["wrong-role"] if is_client else [])
            if is_client or player.refused:
                return
            if house is None or holder in {None, player} or self.is_entitled(player, house):
                assert player.heard_of("registered"), f"{player} must get it at once"
            elif challenge := self.challenges.get(remote_id):
                assert challenge.holder.pings == pings, "one check is enough"
                if player not in challenge.newcomers:
                    challenge.newcomers.append(player)
            else:
                assert holder is not None and len(holder.pings) == len(pings) + 1
                self.challenges[remote_id] = Challenge(holder, self.now, holder.pings[-1], [player])

    def pong(self, player: Player, payload: bytes) -> None:
        """A player answers a ping, whenever it was."""
        with self.turn():
            for challenge in self.challenges.values():
                if challenge.holder is player and challenge.payload == payload:
                    challenge.proved = True
            player.pong(payload)

    def ready(self, home: Player, call: Call, ice: Any) -> None:
        """A home is ready for a call of its own."""
        with self.turn():
            self.readying = call, ice
            replies = self.say(home, "session-ready", sessionId=call.id, iceServers=ice)
            self.readying = None, None
            assert not replies and call.is_open

    def home_says(self, home: Player, call: Call, kind: str) -> None:
        """A home speaks in a call of its own."""
        with self.turn():
            if call.is_open:
                self._send(home, kind, call, call.id, "home-busy" if call.client.congested else "")
            else:
                self._send(home, kind, None, call.id, "client-not-found")

    def meddle(self, player: Player, call: Call, kind: str) -> None:
        """No client speaks in somebody else's call as if it were its home, or in one that is over."""
        if player in self.clients() or (player is call.house.holder and not call.over):
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
        """A player asks for a home."""
        with self.turn():
            house = self.houses.get(remote_id)
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

    def client_says(self, player: Player, kind: str, claimed: Call | None) -> None:
        """A client speaks, and may claim to do so in any call."""
        session_id = claimed.id if claimed is not None else None
        with self.turn():
            call = player.call
            if call is not None and call.is_open:
                holder = call.house.holder
                is_congested = holder is not None and holder.congested
                self._send(player, kind, call, session_id, "home-busy" if is_congested else "")
            elif call is not None:
                self._send(player, kind, None, session_id, "session-not-found")
            else:
                self._send(player, kind, None, session_id, "session-not-found", "")

    def _send(
        self, player: Player, kind: str, call: Call | None, session_id: str | None, *replies: str
    ) -> None:
        """Send a letter for `call`, or for nobody; `replies` are the errors that will do, "" for none."""
        number = len(self.letters)
        fields = self.letter_fields(kind, **({} if session_id is None else {"sessionId": session_id}))
        to_home = call is not None and call.client is player
        self.letters.append(Letter(fields, call, to_home))
        queue = [] if call is None else call.to_home if to_home else call.to_client
        queue.append(number)
        got = self.say(player, **fields)
        assert "".join(got) in replies, f"{got} and not one of {replies}"
        if got:
            queue.remove(number)
        elif call is not None:
            call.answered = call.answered or (kind == "answer" and not to_home)
            call.spoken = call.spoken or not to_home
