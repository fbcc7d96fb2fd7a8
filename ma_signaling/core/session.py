"""A session: one client and one home, from the request to the end. And a connection, as the heart sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ma_signaling.core.limits import Allowance, Budget, SlidingWindow
from ma_signaling.core.peer import ClientAddress, Peer, Timer
from ma_signaling.core.trace import Story

if TYPE_CHECKING:
    from ma_signaling.core.home import Home


class Connection:
    """One peer: what it is, and what it may still send.

    It takes one role, by its first ``register-server`` or ``connect-request`` that isn't refused, and keeps it.
    """

    __slots__ = (
        "address",
        "bad_messages",
        "budget",
        "claim",
        "ended_session",
        "gone",
        "home",
        "id",
        "is_remote",
        "peer",
        "session",
        "was_client",
    )

    def __init__(
        self, id: str, peer: Peer, address: ClientAddress, budget: Budget, *, is_remote: bool = False
    ) -> None:
        self.id = id
        self.peer = peer
        self.address = address
        self.budget = budget
        self.is_remote = is_remote
        """It is another node's, and ``peer`` leads there."""
        self.bad_messages: SlidingWindow | None = None
        self.home: Home | None = None
        self.claim: str | None = None
        """The Remote ID that it has asked for; the verdict is pending."""
        self.session: Session | None = None
        self.was_client = False
        self.ended_session: str | None = None
        self.gone = False

    @property
    def is_home(self) -> bool:
        """Whether it holds a Remote ID, or may soon."""
        return self.home is not None or self.claim is not None

    @property
    def is_client(self) -> bool:
        """Whether it has, or had, a session."""
        return self.session is not None or self.was_client


class Session:
    """One client that asked for one home: pending until ``connected`` was sent, open from then on."""

    __slots__ = (
        "announced",
        "answered",
        "client",
        "from_client",
        "from_home",
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

    __slots__ = ("answered", "from_home", "id", "key", "node", "offered")

    def __init__(self, id: str, node: str, key: str, from_home: Budget) -> None:
        self.id = id
        self.node = node
        """The client's node."""
        self.key = key
        """What its client's address is counted by."""
        self.from_home = from_home
        self.offered = False
        self.answered = False
