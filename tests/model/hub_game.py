"""Players who use a hub, and the score: who holds which Remote ID, and who is in which call with whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from ma_signaling.core.asking_for_proof import Asking, Stage
from ma_signaling.core.home import Home
from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.probe import PAUSE_SECONDS
from ma_signaling.core.remote_id import is_fingerprint
from tests.model.game import BaseCall, BasePlayer, BaseReferee, Brief, Watcher
from tests.support.memory_hub import Message, World


class Player(BasePlayer["Call"]):
    """A peer that plays."""

    def __init__(
        self,
        hub: Hub,
        address: ClientAddress,
        watcher: Game,
        *,
        has_key: bool = False,
        is_prompt: bool = False,
    ) -> None:
        self.house: House | None = None
        self.ice: dict[str, Any] = {}
        """The ICE servers that it last asked to register with, by Remote ID."""
        self.has_key = has_key
        """Whether it holds the keys of all Remote IDs that can be proved."""
        self.is_prompt = is_prompt
        """Whether it gives each proof that it can as soon as it is asked."""
        self.asked_since: dict[str, float] = {}
        """When it asked for a Remote ID that another player held."""
        self.proof_sessions: dict[str, float] = {}
        """Open sessions in which it is asked for proof, and when each began."""
        self._game = watcher
        super().__init__(hub, address, watcher)

    @property
    def asking(self) -> Asking | None:
        """The proof for which it is asked."""
        asking = self.connection.asking
        return asking if asking is not None and asking.stage is not Stage.ENDED else None

    def is_asked_for(self, remote_id: str) -> bool:
        """Return whether it is asked to prove this Remote ID."""
        return self.asking is not None and self.asking.remote_id == remote_id

    def after_reading(self, call: Callable[[], None]) -> None:
        self._game.judge_after_reading(call)

    def ping(self, payload: bytes) -> None:
        super().ping(payload)
        self._game.probed(self, payload)


@dataclass(eq=False)
class House(Brief):
    """The successive holders of a Remote ID, each of whom inherits from the one before, and their calls."""

    remote_id: str
    holder: Player | None = None
    home: Home | None = None
    """What the hub keeps of it."""
    ice: Any = None
    away_since: float | None = None
    suspended_at: float = 0.0
    """When its calls began to wait for a proof."""
    over: bool = False
    calls: list[Call] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{self.remote_id}>"

    @property
    def is_provable(self) -> bool:
        return is_fingerprint(self.remote_id)


@dataclass(eq=False, repr=False, kw_only=True)
class Call(BaseCall[Player]):
    """A call to a house."""

    house: House
    told: Player | None = None
    """The last player who was sent client-connected, and when."""
    told_at: float = 0.0
    answered_at: ClientAddress | None = None
    """The address of the home that answered it, or goes on with it."""
    offered: bool = False
    offered_again_at: float = -inf
    """When its client last sent a further offer that its home has yet to answer."""
    suspended: bool = False
    """Whether it waits until its home has proved itself."""
    over_at: float = 0.0
    to_home: list[int] = field(default_factory=list)
    """Accepted letters that the home has yet to receive."""
    kept: list[int] = field(default_factory=list)
    """Accepted letters of the client, until the call is answered: its home's next connection gets them all."""
    is_reset: bool = False
    """Whether a new connection of its home was told of its end, since the call begins anew."""
    answer_due: float | None = None
    """When it ends without an answer."""
    to_client: list[int] = field(default_factory=list)
    held: tuple[int, float] | None = None
    """The first letter that waits for its connected home, and since when."""
    bye_owed: bool = False
    bye_heard: bool = False


@dataclass(eq=False)
class Challenge:
    """An undecided contest."""

    holder: Player
    probed_at: float
    """When the holder was probed; before that, when the contest began."""
    payload: bytes = b""
    """The payload of the probe, empty before it."""
    newcomers: list[Player] = field(default_factory=list)
    """If empty, the contest goes on for a while, so that newcomers who come and go have the holder asked only once."""
    began: float = 0.0
    lives: bool = False
    """Whether the holder has given a sign of life since the probe."""
    has_longer: bool | None = None
    """Whether the holder was busy when its time was up, and so has longer; None before that."""


@dataclass(eq=False)
class Letter:
    """A message to be forwarded; one without a call must reach nobody."""

    fields: Message
    call: Call | None
    to_home: bool


class Game(BaseReferee[Player, Call, Letter], Watcher):
    """The actions of the players, and the score that follows from them by the rules."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.houses: dict[str, House] = {}
        """The latest house of each Remote ID."""
        self.challenges: dict[str, Challenge] = {}
        self.acting: Player | None = None
        """The player who is sending a message right now."""
        self.registering = ""
        self.readying: tuple[Call | None, Any] = None, None
        self.replies: list[str] = []
        """The codes of the errors that ``acting`` has got."""
        self.proving: Player | None = None
        """The player who is giving a proof right now."""
        self.failing: Player | None = None
        """The player whose proof is failing right now."""
        self.proved_at: dict[Player, float] = {}
        """When holders proved themselves in a contest."""
        self.pinged_at: dict[Player, float] = {}
        """When holders were last probed."""
        self.failures: dict[tuple[str, str], float] = {}
        """When an address last failed to prove a Remote ID."""
        self._answered_for: set[tuple[Player, str]] = set()
        """Players whose proof session for a Remote ID has ended in this turn."""
        self._freed: set[str] = set()
        """Remote IDs whose holder left or lost them in this turn."""
        self._stalled: list[Callable[[], None]] | None = None
        """The verdicts that wait while the loop stands still; None while it runs."""

    @property
    def now(self) -> float:
        return self.world.clock.seconds()

    def judge_after_reading(self, call: Callable[[], None]) -> None:
        """Let a verdict wait until all that has arrived was read."""
        if self._stalled is not None:
            self._stalled.append(call)
        else:
            self.world.clock.callLater(0, call)

    def say(self, player: Player, type: str, **fields: object) -> list[str]:
        """Let a player send a message; return the codes of the errors that it gets for it."""
        self.lives(player)
        self.acting, self.replies = player, []
        player.say(type, **{key: value for key, value in fields.items() if value is not None})
        self.acting = None
        return self.replies

    def probed(self, player: Player, payload: bytes) -> None:
        """Judge the probe of a holder: at most once in a contest, and once a second."""
        pinged_at, self.pinged_at[player] = self.pinged_at.get(player, float("-inf")), self.now
        assert self.now >= pinged_at + PAUSE_SECONDS, f"{player} is probed again and again"
        for challenge in self.challenges.values():
            if challenge.holder is player and not challenge.payload:
                challenge.probed_at, challenge.payload = self.now, payload
                break
        else:
            raise AssertionError(f"one probe of {player} is enough")

    def lives(self, player: Player) -> None:
        """Note that a player has given a sign of life."""
        for challenge in self.challenges.values():
            if challenge.holder is player:
                challenge.lives = True

    def is_kept(self, house: House) -> bool:
        """Return whether a house without a holder is kept for calls that wait, or waited a moment ago."""
        home = self.world.hub.registry.find(house.remote_id)
        if house.holder is not None or home is None:
            return False
        return bool(home.suspended) or home.timer is not None

    def is_given_up(self, house: House) -> bool:
        """Return whether no further call may wait for a house without a holder."""
        home, grace = self.world.hub.registry.find(house.remote_id), self.world.settings.grace
        return (
            house.away_since is not None
            and self.now >= house.away_since + grace
            and home is not None
            and not home.suspended
        )

    def is_over(self, house: House) -> bool:
        """Return whether nobody can inherit a house any more."""
        grace = self.world.settings.grace
        return house.over or (
            house.away_since is not None and self.now >= house.away_since + grace and not self.is_kept(house)
        )

    def leaves(self, player: Player, *, goodbye: bool) -> None:
        """Note that a player is gone, or as good as gone."""
        for remote_id, challenge in list(self.challenges.items()):
            self.withdraw(challenge, remote_id, player)
        if player.call is not None:
            self.hang_up(player.call, tell=goodbye or not player.call.answered)
        if player.house is not None and player.house.holder is player:
            self._freed.add(player.house.remote_id)
            self.vacate(player.house, goodbye=goodbye)
        player.house = None

    def hang_up(self, call: Call, *, tell: bool) -> None:
        """End a call for its client; ``tell``: its home must hear of it. Letters on their way to the home are void."""
        self.end(call)
        call.over_at = self.now
        call.to_home.clear()
        call.bye_owed = tell and call.told is not None and not call.suspended

    def vacate(self, house: House, *, goodbye: bool) -> None:
        """Note that a house has lost its holder."""
        house.holder = None
        house.away_since = self.now - (self.world.settings.grace if goodbye else 0)

    def withdraw(self, challenge: Challenge, remote_id: str, player: Player) -> None:
        """Remove a newcomer from a contest; one that leaves while it is asked has failed."""
        if player in challenge.newcomers:
            was_asked = player.is_asked_for(remote_id) or (player, remote_id) in self._answered_for
            if was_asked and self.proving is not player:
                self.fails(player, remote_id)
            challenge.newcomers.remove(player)
            del player.asked_since[remote_id]

    def fails(self, player: Player, remote_id: str) -> None:
        """Note that a player has failed to prove a Remote ID."""
        self.failures[player.address.key, remote_id] = self.now
