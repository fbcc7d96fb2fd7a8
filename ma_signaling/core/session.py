"""A session: one client and one home, from the request to the end."""

from __future__ import annotations

from ma_signaling.core.connection import Connection
from ma_signaling.core.home import Home
from ma_signaling.core.limits import Allowance, Budget
from ma_signaling.core.peer import Timer
from ma_signaling.core.trace import Story


class Session:
    """One client that asked for one home: pending until ``connected`` was sent, open from then on."""

    __slots__ = (
        "announced",
        "answered",
        "client",
        "from_client",
        "from_home",
        "gives_role",
        "home",
        "id",
        "is_open",
        "offered",
        "requested_at",
        "spoken",
        "story",
        "timer",
    )

    def __init__(
        self,
        id: str,
        client: Connection,
        home: Home,
        allowance: Allowance,
        now: float,
        story: Story | None = None,
    ) -> None:
        self.id = id
        self.client = client
        self.home = home
        self.requested_at = now
        self.story = story
        self.from_client = Budget(allowance, now)
        self.from_home = Budget(allowance, now)
        self.timer: Timer | None = None
        """While pending: the deadline of the answer."""
        self.gives_role = False
        """The client took its role by this request; it loses it if the answer is an error."""
        self.announced = False
        """The home has been told of it, on whichever connection, and not of its end."""
        self.is_open = False
        self.offered = False
        self.answered = False
        """The home's answer went through: the call is probably up, and ICE tells both sides when it isn't."""
        self.spoken = False
        """The home has sent an offer, an answer or a candidate in it."""

    @property
    def key(self) -> str:
        """What its client's address is counted by."""
        return self.client.address.key

    def cancel_timer(self) -> None:
        """Forget the deadline, if there is one."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class RemoteSession:
    """A session of a home here with a client elsewhere, whose node leads it: what this node must know of it."""

    __slots__ = ("answered", "from_home", "home", "id", "key", "node", "offered")

    def __init__(self, id: str, home: Home, node: str, key: str, from_home: Budget) -> None:
        self.id = id
        self.home = home
        self.node = node
        """The client's node."""
        self.key = key
        """What its client's address is counted by."""
        self.from_home = from_home
        self.offered = False
        self.answered = False
