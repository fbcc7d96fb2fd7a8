"""What can happen to a cluster: what peers do, what the bus and the nodes suffer, and what must have come of it."""

from __future__ import annotations

from itertools import pairwise

from ma_signaling.cluster.bus import ALL_NODES, node_subject
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.suspended_sessions import WAIT_SECONDS
from tests.model.cluster_game import Call, Letter, Player
from tests.model.cluster_referee import GRACE, QUIET_SETTLING, RIPPLE, SETTLING, Referee
from tests.model.game import same_place
from tests.support.memory_hub import World, address

ASKER = address("203.0.113.200")

MOST_PLAYERS = 24
MOST_NODES = 4


class Match(Referee):
    """A game with its moves; after each of them nobody waits for too long."""

    # Who and what there is

    def live(self) -> list[int]:
        """The nodes that run."""
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
        """Homes that will be back."""
        return [player for player in self.players[-MOST_PLAYERS:] if player.remote_id and not player.is_there]

    def open_clients(self) -> list[Player]:
        return [player for player in self.there() if player.call is not None and player.call.is_open]

    def unsettled(self) -> list[Call]:
        """Calls that are not up yet."""
        return [call for call in self.calls.values() if not (call.over or call.answered)]

    def home_calls(self) -> list[tuple[Player, Call]]:
        """Homes, with the calls that they know of, or their predecessors did."""
        return [
            (home, call)
            for home in self.all_homes()
            for call in self.calls.values()
            if call.remote_id == home.remote_id
            and any(same_place(told.address, home.address) for told in call.told)
        ]

    # Moves

    def advance(self, seconds: float) -> None:
        """Time passes."""
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
        """A new connection."""
        player = Player(self, node, address, is_silent=is_silent, has_key=has_key)
        self.players.append(player)
        return player

    def register(self, player: Player, remote_id: str) -> None:
        """A player wants to be this home."""
        if player.is_client:
            return
        player.asked[remote_id] = self.now
        player.waits_for = "" if player.remote_id == remote_id else remote_id
        player.say("register-server", remoteId=remote_id)

    def request(self, player: Player, remote_id: str) -> None:
        """A player asks for a home."""
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
        """A new client asks for a home, which accepts, and may answer its offer."""
        client = self.connect(node, address)
        self.request(client, home.remote_id)
        self.advance(1)
        call = client.call
        if call is None or home not in call.told or not home.is_home:
            return
        self.ready(home, call)
        self.advance(1)
        if answers and call.is_open and home.is_home:
            self.client_says(client, "offer")
            self.home_says(home, call, "answer")

    def ready(self, home: Player, call: Call) -> None:
        """A home accepts a call."""
        home.say("session-ready", sessionId=call.id)

    def home_says(self, home: Player, call: Call, kind: str) -> Letter:
        """A home speaks in a call."""
        letter = self._write(home, call, kind, sessionId=call.id)
        home.say(**letter.fields)
        return letter

    def client_says(self, client: Player, kind: str) -> Letter:
        """A client speaks."""
        assert client.call is not None
        letter = self._write(client, client.call, kind)
        client.say(**letter.fields)
        return letter

    def _write(self, sender: Player, call: Call, kind: str, **fields: object) -> Letter:
        letter = Letter(self.letter_fields(kind, **fields), sender, call, self.now, call.is_open)
        self.letters.append(letter)
        return letter

    def leave(self, player: Player, *, goodbye: bool) -> None:
        """A player leaves, or its connection breaks."""
        player.said_goodbye = goodbye
        self.gone(player, is_orderly=not goodbye)
        if goodbye:
            player.goodbye()
        else:
            player.breaks()

    # Faults

    def fault(self) -> None:
        """Something is not as it should be."""
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
        """The servers behind the nodes lose each other, or (all on one side) find each other again."""
        for line, side in zip(self.cluster.lines, sides, strict=False):
            line.side = side
        self.fault()

    def lose(self, share: float) -> None:
        """Some messages get lost from now on."""
        self.cluster.server.loss = share
        self.fault()

    def kill(self, node: int) -> None:
        """A node is gone at once."""
        self.stopped.add(node)
        for player in self.there():
            if player.node == node:
                player.left = True
                self.gone(player, is_orderly=True)
        self.cluster.kill(node)
        self.fault()

    def stop(self, node: int) -> None:
        """A node is shut down."""
        self.stopped.add(node)
        while self.cluster.worlds[node].hub.drain(2):
            pass
        self.cluster.lines[node].node.stop()
        self.cluster.lines[node].leave()
        self.fault()

    def add(self) -> World:
        """There is another node."""
        world = self.cluster.add(f"n{len(self.cluster.worlds)}", **self.cluster.settings)
        self.fault()
        return world

    def mend_everything(self) -> None:
        """No more faults from now on."""
        self.cluster.server.loss = 0
        for line in self.cluster.lines:
            line.side = 0
        for node in self.cut_off():
            self.cluster.lines[node].mend()
        self.fault()

    # What must have come of it

    def judge_peace(self) -> None:
        """There were no faults for a while: every node agrees with every home, and calls go on."""
        is_quiet = self.last_fault == float("-inf")
        if not is_quiet:
            self.mend_everything()
        self.advance(QUIET_SETTLING if is_quiet else SETTLING)
        remote_ids = {player.remote_id for player in self.players if player.remote_id}
        for remote_id in sorted(remote_ids):
            self._judge_holder(remote_id)
        self._judge_letters()
        self._judge_calls()

    def _judge_holder(self, remote_id: str) -> None:
        homes = self.homes(remote_id)
        assert len(homes) <= 1, f"{homes} hold {remote_id}"
        holders = [number for number in self.cluster.holders(remote_id) if number in self.live()]
        assert holders == [home.node for home in homes], f"{holders} hold {remote_id}, and not {homes}"
        for node in self.live():
            known = self.cluster.worlds[node].hub.registry.find(remote_id)
            if homes and known is not None and node != homes[0].node:
                there = f"{homes[0].connection.id}@n{homes[0].node}"
                assert known.connection is not None and known.connection.id == there, f"n{node} errs"
        told: list[object] = []
        for node in self.live():
            self.cluster.worlds[node].hub.lookups.is_online(ASKER, remote_id, told.append)
        self.advance(RIPPLE)
        assert told == [bool(homes)] * len(self.live()), f"not every node finds {remote_id}"

    def _judge_letters(self) -> None:
        """Where nothing was at fault, nothing got lost that was not under way while a home came or went."""
        for letter in self.letters if self.last_fault == float("-inf") else ():
            call = letter.call
            homes = self.homes(call.remote_id)
            events = [event for event in self.events if event.remote_id == call.remote_id]
            times = [event.at for event in events if event.at >= call.at]
            gaps = [later - sooner for sooner, later in pairwise(times)]
            is_orderly = all(event.is_orderly for event in events) and min(gaps, default=RIPPLE) >= RIPPLE
            if call.over or not homes or not is_orderly:
                continue
            if (
                letter.is_owed
                and letter.sender.is_there
                and all(abs(letter.at - at) >= RIPPLE for at in times)
            ):
                assert letter.arrived, f"{letter} got lost"

    def _judge_calls(self) -> None:
        """A call goes on that has not been without its home for the grace time."""
        for call in list(self.calls.values()):
            homes = self.homes(call.remote_id)
            events = [event for event in self.events if event.remote_id == call.remote_id]
            is_orderly = all(event.is_orderly for event in events if event.at >= call.at)
            # A home that has yet to answer may have missed that it is called.
            is_known = bool(call.told) if call.answered else any(home in call.told for home in homes)
            is_up = bool(homes) and is_known and call.is_open and not call.over
            if is_up and is_orderly and self.outage <= GRACE:
                letters = [
                    self.home_says(homes[0], call, "ice-candidate"),
                    self.client_says(call.client, "ice-candidate"),
                ]
                self.advance(RIPPLE)
                for letter in letters:
                    assert letter.arrived, f"{letter} of {call} got lost"

    def judge_end(self) -> None:
        """Everybody has left, and grace is over: nothing stays."""
        self.mend_everything()
        for number, player in enumerate(self.players):
            if player.is_there:
                self.leave(player, goodbye=number % 2 == 0)
        is_waiting = any(
            len(self.cluster.worlds[node].hub.registry._grace._suspension) for node in self.live()
        )
        self.advance(SETTLING + (WAIT_SECONDS if is_waiting else self.cluster.worlds[0].settings.grace))
        for number in self.live():
            world, node = self.cluster.worlds[number], self.cluster.lines[number].node
            registry, directory = world.hub.registry, node._directory
            left = {
                "homes": registry._homes,
                "contests": registry.contests.by_remote_id,
                "newcomers": registry.contests._newcomers,
                "suspended": registry._grace._suspension._waits,
                "sessions": world.hub.sessions._by_id,
                "connections": world.hub._connections,
                "silent": world.hub._silent._by_key,
                "claims": node._claims._claims,
                "claims by question": node._claims._by_question,
                "claims of others": node._judge._newcomers,
                "questions": node._context._questions,
                "registrations": directory.registrations._registrations,
                "repeats": directory.registrations._announced_at,
                "remote homes": directory._remote_homes,
                "terms": directory._terms._latest,
                "inherited": directory.registrations._inherited,
                "watched": directory._watched,
                "announced": node._relay._announced,
            }
            for name, what in left.items():
                assert not what, f"n{number} keeps {name}: {what}"
            assert self.cluster.lines[number].wanted == {ALL_NODES, node_subject(node.name, "*")}
            assert registry.online == world.hub.sessions.opening.open == 0
            assert set(node._members._members) == {f"n{n}" for n in self.live()} - {node.name}
        ticks = [timer for timer in self.cluster.clock.timers if "arrive" not in timer._name]
        assert len(ticks) == len(self.live()), ticks
