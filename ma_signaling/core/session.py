"""A session: one client and one home, from the request to the end; its state, and that of its negotiation."""

from __future__ import annotations

from enum import Enum

from ma_signaling.core.connection import Connection
from ma_signaling.core.home import Home
from ma_signaling.core.peer import ClientAddress, Timer
from ma_signaling.core.session_trace import SessionTrace
from ma_signaling.core.shares import Place
from ma_signaling.core.token_bucket import Allowance, Budget


class SessionState(Enum):
    """How far a session has got; it never goes back. Until it is open it is pending: its client waits for an answer."""

    PARKED = "parked"
    """The home has yet to be told of it."""
    ANNOUNCED = "announced"
    """The home has been told of it, on whichever connection."""
    OPEN = "open"
    """The client was told ``connected``."""
    ENDED = "ended"


class Negotiation(Enum):
    """What client and home have exchanged in a session; it never goes back."""

    NOTHING = "nothing"
    OFFERED = "offered"
    """The client's offer was delivered, or waits for the home."""
    ANSWERED = "answered"
    """The home's answer was delivered: the call is probably up, and ICE tells both sides when it isn't."""


class Negotiating:
    """What a session of a client here and one of a client elsewhere have in common."""

    __slots__ = ("answered_by", "negotiation", "place")

    def __init__(self) -> None:
        self.negotiation = Negotiation.NOTHING
        self.answered_by: ClientAddress | None = None
        """Where the home is that answered it, or goes on with it."""
        self.place: Place[Session | RemoteSession] | None = None
        """Its share of the home."""

    def client_sent(self, type: str) -> None:
        """The client has sent a message of this type."""
        if type == "offer" and self.negotiation is Negotiation.NOTHING:
            self.negotiation = Negotiation.OFFERED

    def home_sent(self, type: str, home: ClientAddress) -> None:
        """The home has sent a message of this type, from this address."""
        if type == "answer":
            self.negotiation, self.answered_by = Negotiation.ANSWERED, home


class Session(Negotiating):
    """A session with a client of this node."""

    __slots__ = (
        "client",
        "from_client",
        "from_home",
        "gives_role",
        "home",
        "id",
        "requested_at",
        "state",
        "timer",
        "trace",
    )

    def __init__(
        self,
        id: str,
        client: Connection,
        home: Home,
        allowance: Allowance,
        now: float,
        trace: SessionTrace | None = None,
    ) -> None:
        super().__init__()
        self.id = id
        self.state = SessionState.PARKED
        self.client = client
        self.home = home
        self.requested_at = now
        self.trace = trace
        self.from_client = Budget(allowance, now)
        self.from_home = Budget(allowance, now)
        self.timer: Timer | None = None
        """While the session is pending: the deadline of its answer."""
        self.gives_role = False
        """The client took its role by this request; it loses it if the answer is an error."""

    @property
    def key(self) -> str:
        """The key by which its client's address is counted."""
        return self.client.address.key

    def cancel_timer(self) -> None:
        """Cancel the deadline, if there is one."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class RemoteSession(Negotiating):
    """A session of a home of this node with a client of another node, which leads the session."""

    __slots__ = ("from_home", "home", "id", "key", "node")

    def __init__(self, id: str, home: Home, node: str, key: str, from_home: Budget) -> None:
        super().__init__()
        self.id = id
        self.home = home
        self.node = node
        """The client's node."""
        self.key = key
        """The key by which its client's address is counted."""
        self.from_home = from_home
