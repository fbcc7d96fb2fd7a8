"""The moves of a game in a cluster: actions of peers, and faults of the bus and the nodes."""

from __future__ import annotations

from ma_signaling.core.peer import ClientAddress
from tests.model.cluster_game import Call, Letter, Player
from tests.model.cluster_referee import Referee
from tests.model.game import same_place
from tests.support.memory_hub import World

MOST_PLAYERS = 24
MOST_NODES = 4


class Match(Referee):
    """A game with its moves; after each move, nobody may have waited for too long."""

    # Players and calls

    def live(self) -> list[int]:
        """Return the nodes that run."""
        return [number for number in range(len(self.cluster.worlds)) if number not in self.stopped]

    def cut_off(self) -> list[int]:
        return [number for number in self.live() if self.cluster.lines[number].is_cut]

    def connected(self) -> list[int]:
        return [number for number in self.live() if not self.cluster.lines[number].is_cut]

    def unaware(self) -> list[int]:
        return [number for number in self.cut_off() if self.cluster.lines[number].is_up]

    def all_homes(self) -> list[Player]:
        return [player for player in self.players if player.is_home]

    def lost_homes(self) -> list[Player]:
        """Return homes that will come back."""
        return [player for player in self.players[-MOST_PLAYERS:] if player.remote_id and not player.is_there]

    def open_clients(self) -> list[Player]:
        return [player for player in self.there() if player.call is not None and player.call.is_open]

    def unsettled(self) -> list[Call]:
        """Return calls that aren't answered yet."""
        return [call for call in self.calls.values() if not (call.over or call.answered)]

    def home_calls(self) -> list[tuple[Player, Call]]:
        """Return homes, each with a call that it or a predecessor has heard of."""
        return [
            (home, call)
            for home in self.all_homes()
            for call in self.calls.values()
            if call.remote_id == home.remote_id
            and any(same_place(told.address, home.address) for told in call.told)
        ]

    # Moves

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.is_sound = False
        if self.is_faulty:
            self.outage += seconds
        self.cluster.clock.advance(seconds)
        if self.is_faulty:
            self.last_fault = self.now
        self.judge_waiting()
        self.is_sound = True

    def connect(
        self, node: int, address: ClientAddress, *, is_silent: bool = False, has_key: bool = False
    ) -> Player:
        """Let a player connect."""
        player = Player(self, node, address, is_silent=is_silent, has_key=has_key)
        self.players.append(player)
        return player

    def register(self, player: Player, remote_id: str) -> None:
        """Let a player register a Remote ID."""
        if player.is_client:
            return
        player.asked[remote_id] = self.now
        player.waits_for = "" if player.remote_id == remote_id else remote_id
        player.say("register-server", remoteId=remote_id)

    def request(self, player: Player, remote_id: str) -> None:
        """Let a player ask for a home."""
        if player.remote_id or player.asked:
            return
        if player.call is not None:
            self.hang_up(player.call)
        player.call = self.requesting = Call(player, self.now, remote_id=remote_id)
        player.say("connect-request", remoteId=remote_id)
        self.requesting = None
        session = self.cluster.worlds[player.node].hub.sessions.by_client.get(player.connection)
        if session is not None and not player.call.id:
            self.name(player.call, session.id)

    def make_call(self, home: Player, node: int, address: ClientAddress, *, answers: bool) -> None:
        """Let a new client ask for a home, which accepts, and may answer the client's offer."""
        client = self.connect(node, address)
        self.request(client, home.remote_id)
        self.advance(1)
        call = client.call
        if call is None or home not in call.told or not home.is_home:
            return
        self.ready(home, call)
        self.advance(1)
        if answers and client.call is call and call.is_open and home.is_home:
            self.client_says(client, "offer")
            self.home_says(home, call, "answer")

    def ready(self, home: Player, call: Call) -> None:
        """Let a home accept a call."""
        home.say("session-ready", sessionId=call.id)

    def home_says(self, home: Player, call: Call, kind: str) -> Letter:
        """Let a home send a letter in a call."""
        letter = self._write(home, call, kind, sessionId=call.id)
        home.say(**letter.fields)
        return letter

    def client_says(self, client: Player, kind: str) -> Letter:
        """Let a client send a letter."""
        assert client.call is not None
        letter = self._write(client, client.call, kind)
        client.say(**letter.fields)
        return letter

    def _write(self, sender: Player, call: Call, kind: str, **fields: object) -> Letter:
        letter = Letter(self.letter_fields(kind, **fields), sender, call, self.now, call.is_open)
        self.letters.append(letter)
        return letter

    def leave(self, player: Player, *, goodbye: bool) -> None:
        """Let a player leave, or let its connection break."""
        player.said_goodbye = goodbye
        self.gone(player, is_orderly=not goodbye)
        if goodbye:
            player.goodbye()
        else:
            player.breaks()

    # Faults

    def fault(self) -> None:
        """Note that there is a fault."""
        self.last_fault = self.now
        lines = [self.cluster.lines[number] for number in self.live()]
        is_parted = len({line.side for line in lines}) > 1
        self.is_faulty = is_parted or self.cluster.server.loss > 0 or any(line.is_cut for line in lines)

    def cut(self, node: int, *, noticed: bool) -> None:
        self.cluster.lines[node].cut(noticed=noticed)
        self.fault()

    def notice(self, node: int) -> None:
        self.cluster.lines[node].notice()

    def mend(self, node: int) -> None:
        self.cluster.lines[node].mend()
        self.fault()

    def part(self, sides: list[int]) -> None:
        """Partition the NATS servers, or (all nodes on one side) end the partition."""
        for line, side in zip(self.cluster.lines, sides, strict=False):
            line.side = side
        self.fault()

    def lose(self, share: float) -> None:
        """Let a share of the messages get lost from now on."""
        self.cluster.server.loss = share
        self.fault()

    def kill(self, node: int) -> None:
        """Kill a node."""
        self.stopped.add(node)
        for player in self.there():
            if player.node == node:
                player.left = True
                self.gone(player, is_orderly=True)
        self.cluster.kill(node)
        self.fault()

    def stop(self, node: int) -> None:
        """Shut a node down."""
        self.stopped.add(node)
        while self.cluster.worlds[node].hub.drain(2):
            pass
        self.cluster.lines[node].node.stop()
        self.cluster.lines[node].leave()
        self.fault()

    def add(self) -> World:
        """Add a node."""
        world = self.cluster.add(f"n{len(self.cluster.worlds)}", **self.cluster.settings)
        self.fault()
        return world

    def mend_everything(self) -> None:
        """End all faults."""
        self.cluster.server.loss = 0
        for line in self.cluster.lines:
            line.side = 0
        for node in self.cut_off():
            self.cluster.lines[node].mend()
        self.fault()
