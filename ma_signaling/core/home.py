"""A home: the holder of a Remote ID, connected or expected back."""

from __future__ import annotations

from collections.abc import Callable, Set
from enum import Enum

from ma_signaling.core import messages
from ma_signaling.core.connection import Connection
from ma_signaling.core.held_bytes import HomeBytes
from ma_signaling.core.home_shares import Crowd
from ma_signaling.core.outbox import Outbox
from ma_signaling.core.peer import NEVER, ClientAddress, Timer

ICE_SERVERS_BYTES = 8 * 1024
"""The longest list of ICE servers that is kept: the longest in use has some 2 KiB, and every idle home keeps one."""


def kept(ice_servers: bytes | None) -> bytes | None:
    """Return what is kept of a list of ICE servers (as JSON): a copy, None for one that is far too long."""
    if ice_servers is None or len(ice_servers) > ICE_SERVERS_BYTES:
        return None
    # A copy takes the space that it needs; what orjson writes holds 4 KiB, however short.
    return bytes(memoryview(ice_servers))


NONE: Set[str] = frozenset()
"""One for all homes: Python makes a new empty set each time that it is asked for one."""


class HomeState(Enum):
    """Where a home is."""

    LOOKED_UP = "looked up"
    """No connection has held it, as far as this node knows: clients wait while other nodes are asked."""
    LOCAL = "local"
    """It is connected to this node."""
    REMOTE = "remote"
    """It is connected to another node."""
    AWAY_ELSEWHERE = "away elsewhere"
    """No connection has held it, as far as this node knows, and another node expects it back."""
    AWAY = "away"
    """Its connection is gone, and it is expected back: for the grace time, or while sessions are suspended."""
    GIVEN_UP = "given up"
    """It is expected no longer, and unknown to whoever asks now; requests that are parked wait for it to their ends."""


class Home:
    """Who holds ``remote_id``: one connection at a time, or none while it is expected back.

    Its sessions outlive a connection: what clients send while it is away is buffered, and delivered in order when it
    is back.
    """

    __slots__ = (
        "_held",
        "_make_held",
        "_outbox",
        "are_offers_held",
        "askers",
        "connection",
        "crowd",
        "former",
        "ice_servers",
        "remote_id",
        "shared_told_at",
        "state",
        "suspended",
        "timer",
    )

    def __init__(self, remote_id: str, make_held: Callable[[], HomeBytes]) -> None:
        """``make_held`` returns the room of a home for what its clients have sent."""
        self.remote_id = remote_id
        self.state = HomeState.LOOKED_UP
        self.connection: Connection | None = None
        """While it is local or remote."""
        self.former = ""
        """The ID of the connection that held it before: nodes that lose each other for a while know it again."""
        self.ice_servers: bytes | None = None
        """The fallback that it registered, as JSON; none while it is away, when it would only take memory."""
        self.askers: dict[str, ClientAddress] | None = None
        """Who has asked for it while it is looked up, whether they still wait or not."""
        self.timer: Timer | None = None
        """While it is away: the end of the grace time. Given up: when the last request has ended that waits for it."""
        self.crowd: Crowd | None = None
        """Who talks to it; most homes are idle most of the time, and have none."""
        self.are_offers_held = False
        """Newcomers are asked for proof of its Remote ID: it gets no offer, so that it can't answer in their place."""
        self.suspended: Set[str] = NONE
        """Answered sessions that wait until its connection has proved itself: nothing is delivered in them."""
        self.shared_told_at = NEVER
        """When it was said last that another server has its certificate as well."""
        self._make_held = make_held
        self._held: HomeBytes | None = None
        """None until its first session: most homes that are connected have none."""
        self._outbox: Outbox | None = None
        """What waits for it; None until something does, and once all has gone out."""

    def connect(self, connection: Connection) -> None:
        """Be held by this connection."""
        self.stop_timer()
        self.connection = connection
        connection.remote_id = self.remote_id
        self.state = HomeState.REMOTE if connection.is_remote else HomeState.LOCAL

    def disconnect(self) -> Connection:
        """Be away; returns the connection that held it."""
        assert self.connection is not None
        connection, self.connection = self.connection, None
        connection.remote_id = None
        self.ice_servers = None
        self.former = connection.id
        self.state = HomeState.AWAY
        return connection

    @property
    def is_awaited_first(self) -> bool:
        """Whether it is expected back though no connection has held it since this server started."""
        return self.state is HomeState.AWAY and not self.former

    @property
    def is_disputed(self) -> bool:
        """Whether its holder contends with another node's, which has more right to its Remote ID if both hold it."""
        return self.connection is not None and self.connection.claim == self.remote_id

    def its_crowd(self) -> Crowd:
        """Return who talks to it, to count one more."""
        if self.crowd is None:
            self.crowd = Crowd()
        return self.crowd

    @property
    def held(self) -> HomeBytes:
        """The room for what its clients have sent, and it has not got, or not answered."""
        if self._held is None:
            self._held = self._make_held()
        return self._held

    def asked_by(self, address: ClientAddress) -> None:
        """Remember who has asked for it while it is looked up."""
        if self.askers is None:
            self.askers = {}
        self.askers[address.key] = address

    def keep_ice_servers(self, ice_servers: bytes | None) -> None:
        """Keep a list (as JSON) as the fallback, unless it is far too long."""
        self.ice_servers = kept(ice_servers)

    def forward(self, session_id: str, kind: str, payload: bytes) -> None:
        """Send the home what this server says, or has made room for, or buffer it while it must wait."""
        if self.connection is None or self._must_wait(session_id, kind):
            self._its_outbox().add((session_id, kind, payload))
        else:
            self.connection.forward(session_id, kind, payload)

    def client_left(self, session_id: str) -> None:
        """Tell the home that a session's client is gone."""
        self.forward(session_id, "client-disconnected", messages.client_disconnected(session_id))

    @property
    def is_congested(self) -> bool:
        """Whether it reads too slowly for anything more."""
        return self.connection is not None and self.connection.peer.congested

    @property
    def is_at_hand(self) -> bool:
        """Whether it, or its node, gets what its clients send at once, whatever that is."""
        return not (
            self.connection is None
            or self._outbox is not None
            or self.suspended
            or self.are_offers_held
            or not self.connection.peer.keeps_up
        )

    def take(self, session_id: str, kind: str, payload: bytes, key: str) -> bool:
        """Send the home what a client with the address ``key`` has sent, or buffer it while it must wait.

        False: it would be too much for the home, or more than the client's share of what may wait for it.
        """
        connection = self.connection
        # For speed: as a rule nothing waits for a home that is connected.
        if connection is None or (
            (self._outbox is not None or self.suspended or self.are_offers_held)
            and self._must_wait(session_id, kind)
        ):
            outbox = self._its_outbox()
            if not outbox.make_room(len(payload), session_id, key):
                return False
            outbox.add((session_id, kind, payload))
            return True
        if connection.peer.congested:
            return False
        connection.forward(session_id, kind, payload)
        return True

    def flush(self) -> list[str]:
        """Send what need not wait any more; returns the IDs of the sessions whose offers went out."""
        if self._outbox is None or self.connection is None or self.are_offers_held:
            return []
        sent = self._outbox.take(lambda session_id, _: session_id not in self.suspended)
        self._drop_empty_outbox()
        for message in sent:
            self.connection.forward(*message)
        return [session_id for session_id, kind, _ in sent if kind == "offer"]

    def is_waiting(self, session_id: str) -> bool:
        """Return whether messages of this session wait for delivery."""
        return self._outbox is not None and self._outbox.holds(session_id)

    def session_ended(self, session_id: str) -> None:
        """Forget what is buffered of a session, but its end."""
        if self._outbox is not None and self._outbox.holds(session_id):
            self._outbox.forget(session_id)
            self._drop_empty_outbox()
        if self._held is not None:
            self._held.tidy()

    def forget_messages(self, of: Set[str] | None = None) -> None:
        """Forget what is buffered, of these sessions or of all."""
        if self._outbox is not None:
            self._outbox.take(lambda session_id, _: of is None or session_id in of)
            self._drop_empty_outbox()

    def _drop_empty_outbox(self) -> None:
        if self._outbox is not None and not self._outbox.messages:
            self._outbox = None

    def _its_outbox(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(self.held)
        return self._outbox

    def _must_wait(self, session_id: str, kind: str) -> bool:
        return (
            (self.are_offers_held and kind == "offer")
            or session_id in self.suspended
            or self.is_waiting(session_id)
        )

    def stop_timer(self) -> None:
        """Cancel the end of the grace time."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
