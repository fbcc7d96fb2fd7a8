"""A session: one client and one home, from the request to the end; its state, and that of its negotiation."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from ma_signaling.config.settings import Settings
from ma_signaling.core import messages
from ma_signaling.core.connection import Connection
from ma_signaling.core.home import Home
from ma_signaling.core.kept_messages import Kept
from ma_signaling.core.peer import NEVER, ClientAddress, Clock, Timer
from ma_signaling.core.probe import BUSY_SECONDS
from ma_signaling.core.session_trace import SessionTrace
from ma_signaling.core.shares import Place
from ma_signaling.core.token_bucket import Allowance, Budget


class SessionState(Enum):
    """The progress of a session; it never goes back. Before OPEN it is pending: the client waits for an answer."""

    PARKED = "parked"
    """The home has yet to be told of it."""
    ANNOUNCED = "announced"
    """The home has been told of it, on its present connection or an earlier one."""
    OPEN = "open"
    """The client was told ``connected``."""
    ENDED = "ended"


class Negotiation(Enum):
    """What client and home have exchanged in a session; never goes back."""

    NOTHING = "nothing"
    OFFERED = "offered"
    """The client's offer was delivered, or waits for the home."""
    ANSWERED = "answered"
    """The home's answer was delivered: the call is probably up, and ICE tells both sides when it isn't."""


_ANSWERED = Negotiation.ANSWERED


class Negotiating:
    """The part that ``Session`` and ``RemoteSession`` have in common."""

    __slots__ = ("answered_by", "negotiation", "offered_again_at", "place")

    id: str
    home: Home

    def __init__(self) -> None:
        self.negotiation = Negotiation.NOTHING
        self.answered_by: ClientAddress | None = None
        """The address of the home that answered it, or goes on with it."""
        self.offered_again_at = NEVER
        """When a further offer was last delivered, such as an ICE restart, that the home has yet to answer."""
        self.place: Place[Session | RemoteSession] | None = None
        """Its place among the home's sessions."""

    def offered(self, now: float) -> None:
        """Note that the client's offer was delivered, or waits for the home; a further one counts once delivered."""
        if self.negotiation is Negotiation.NOTHING:
            self.negotiation = Negotiation.OFFERED
        elif self.negotiation is Negotiation.ANSWERED and not self.home.is_waiting(self.id):
            self.offered_again_at = now

    def answered(self, home: ClientAddress) -> None:
        """Note that the home has sent an answer from the address ``home``."""
        self.negotiation, self.answered_by, self.offered_again_at = Negotiation.ANSWERED, home, NEVER

    def occupies_home(self, now: float) -> bool:
        """Return whether the home may be at work on its answer; on a further one for ``BUSY_SECONDS`` at most."""
        return self.negotiation is Negotiation.OFFERED or now - self.offered_again_at < BUSY_SECONDS


class Session(Negotiating):
    """A session with a client of this node."""

    __slots__ = (
        "_kept",
        "announcements",
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
        trace: SessionTrace | None,
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
        """While pending: the deadline of ``connected``. Once the offer is delivered: that of the home's answer."""
        self._kept = Kept(id, client.address.key, home.held_bytes)
        """Until it is answered: what the client has sent, to begin anew with the home's next connection."""
        self.announcements = 0
        """How often it was announced to its home."""
        self.gives_role = False
        """Whether the client took its role by this request, and loses the role if the answer is an error."""

    @property
    def key(self) -> str:
        """The key of its client's address."""
        return self.client.address.key

    def client_sends(self, kind: str, payload: bytes, now: float) -> bool:
        """Deliver a message of the client, or let it wait for the home; return False if there is no room for it."""
        is_answered = self.negotiation is _ANSWERED
        if not is_answered and self.home.connection is None:
            is_taken = self._kept.add((payload,), len(payload))
        else:
            is_taken = self.home.take(self.id, kind, payload, self.client.address.key)
            if is_taken and not is_answered and not self._kept.add((payload,), len(payload)):
                self._kept.give_up()
        if is_taken and kind == "offer":
            self.offered(now)
        return is_taken

    def client_sends_all(self, candidates: list[bytes]) -> None:
        """Deliver ICE candidates of the client to a home that ``is_at_hand``."""
        assert self.home.connection is not None
        self.home.connection.forward_all(self.id, candidates)
        if self.negotiation is not _ANSWERED and not self._kept.add(candidates, sum(map(len, candidates))):
            self._kept.give_up()

    @property
    def can_begin_anew(self) -> bool:
        """Whether everything that the client has sent is kept."""
        return self._kept.is_whole

    def begin_anew(self) -> None:
        """Deliver the kept messages, in order, to a home that has just been told of the session."""
        if self.home.is_waiting(self.id):
            self.home.forget_messages({self.id})
        for payload in self._kept:
            self.home.forward(self.id, messages.parse(payload)["type"], payload)

    def answered(self, home: ClientAddress) -> None:
        super().answered(home)
        self.cancel_timer()
        self._kept.forget()
        self.client.hears_errors = False

    def forget(self) -> None:
        """Cancel the deadline and drop the kept messages, since the session has ended."""
        self.cancel_timer()
        self._kept.forget()

    def set_timer(self, clock: Clock, seconds: float, expired: Callable[[Session], None]) -> None:
        """Set the deadline, in place of an earlier one: ``expired`` is called after ``seconds``."""
        self.cancel_timer()
        self.timer = clock.callLater(max(0.0, seconds), self._time_is_up, expired)

    def _time_is_up(self, expired: Callable[[Session], None]) -> None:
        self.timer = None
        expired(self)

    def cancel_timer(self) -> None:
        """Cancel the deadline, if there is one."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class RemoteSession(Negotiating):
    """A session of a home of this node with a client of another node, which leads the session."""

    __slots__ = ("announcement", "from_home", "home", "id", "key", "node", "renewed_at")

    def __init__(self, id: str, home: Home, node: str, key: str, from_home: Budget, now: float) -> None:
        super().__init__()
        self.id = id
        self.home = home
        self.node = node
        """The client's node."""
        self.key = key
        """The key of its client's address."""
        self.announcement = 0
        """Which announcement of the session its home has heard last (``Session.announcements``)."""
        self.from_home = from_home
        self.renewed_at = now
        """When the client's node last said that the session goes on."""


def session_allowance(settings: Settings) -> Allowance:
    """Return what each side may send in one session."""
    return Allowance(
        settings.message_rate,
        settings.message_burst,
        settings.message_bytes_rate,
        settings.message_bytes_burst,
    )
