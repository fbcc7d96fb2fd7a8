"""Players who use a hub, and the score: who holds which Remote ID, and who is in which call with whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import ClientAddress
from ma_signaling.core.seniority import MEMORY, TENURE
from tests.model.game import BaseCall, BasePlayer, BaseReferee, Brief, Watcher, same_place
from tests.support.memory_hub import Message, World


class Player(BasePlayer["Call"]):
    """A peer that plays."""

    def __init__(self, hub: Hub, address: ClientAddress, watcher: Watcher) -> None:
        self.house: House | None = None
        self.ice: dict[str, Any] = {}
        """The ICE servers that it last asked to register with, by Remote ID."""
        super().__init__(hub, address, watcher)


@dataclass(eq=False)
class House(Brief):
    """The holders of a Remote ID, each of whom inherits from the one before, and their calls."""

    remote_id: str
    owner: ClientAddress
    since: float
    holder: Player | None = None
    ice: Any = None
    granted_in: int = 0
    """The turn in which the holder got it."""
    away_since: float | None = None
    evicted: bool = False
    over: bool = False
    calls: list[Call] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{self.remote_id} of {self.owner.text}>"


@dataclass(eq=False, repr=False, kw_only=True)
class Call(BaseCall[Player]):
    """A call to a house."""

    house: House
    told: Player | None = None
    """Who heard client-connected last, and when."""
    told_at: float = 0.0
    spoken: bool = False
    to_home: list[int] = field(default_factory=list)
    """Accepted letters that the home has yet to hear."""
    to_client: list[int] = field(default_factory=list)
    bye_owed: bool = False
    bye_heard: bool = False


@dataclass(eq=False)
class Challenge:
    """A takeover in the balance."""

    holder: Player
    at: float
    payload: bytes
    newcomers: list[Player] = field(default_factory=list)
    proved: bool = False


@dataclass(eq=False)
class Letter:
    """Something to be forwarded; without a call it must reach nobody."""

    fields: Message
    call: Call | None
    to_home: bool


class Game(BaseReferee[Player, Call, Letter]):
    """What the players did and what came of it, as far as the rules allow it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.houses: dict[str, House] = {}
        """The latest one of each Remote ID."""
        self.all_houses: list[House] = []
        """Those of calls that wait for an evicted holder, too."""
        self.challenges: dict[str, Challenge] = {}
        self.acting: Player | None = None
        """Who is sending a message right now."""
        self.registering = ""
        self.readying: tuple[Call | None, Any] = None, None
        self.replies: list[str] = []
        """The codes of the errors that it got."""
        self._seniors: dict[str, tuple[str, float]] = {}

    @property
    def now(self) -> float:
        return self.world.clock.seconds()

    def say(self, player: Player, type: str, **fields: object) -> list[str]:
        """Let a player send a message; the codes of the errors that it gets for it."""
        self.acting, self.replies = player, []
        player.say(type, **{key: value for key, value in fields.items() if value is not None})
        self.acting = None
        return self.replies

    def is_over(self, house: House) -> bool:
        """Whether nobody can inherit a house any more."""
        grace = self.world.settings.grace
        return house.over or (house.away_since is not None and self.now >= house.away_since + grace)

    def is_entitled(self, player: Player, house: House) -> bool:
        """Whether a newcomer gets a held Remote ID at once."""
        if same_place(player.address, house.owner):
            return True
        key, since = self._seniors.get(house.remote_id, ("", 0.0))
        is_senior = player.address.key == key and self.now - since < MEMORY and not player.address.shared
        return is_senior and self.now - house.since < TENURE

    def leaves(self, player: Player, *, goodbye: bool) -> None:
        """A player is as good as gone."""
        for remote_id, challenge in list(self.challenges.items()):
            self.withdraw(challenge, remote_id, player)
        if player.call is not None:
            self.hang_up(player.call, tell=goodbye or not player.call.answered)
        house, player.house = player.house, None
        if house is not None and house.holder is player:
            self.vacate(house)
            house.over = goodbye or self.world.settings.grace == 0
            house.away_since = self.now

    def hang_up(self, call: Call, *, tell: bool) -> None:
        """A call is over for its client; its home deserves to hear of it, or not."""
        self.end(call)
        call.bye_owed = tell and call.told is not None

    def vacate(self, house: House) -> None:
        """A house has no holder any more."""
        house.holder = None
        if self.now - house.since >= TENURE and not house.owner.shared:
            self._seniors[house.remote_id] = house.owner.key, self.now

    def withdraw(self, challenge: Challenge, remote_id: str, player: Player) -> None:
        """A newcomer waits no longer."""
        if player in challenge.newcomers:
            challenge.newcomers.remove(player)
            if not challenge.newcomers:
                del self.challenges[remote_id]
