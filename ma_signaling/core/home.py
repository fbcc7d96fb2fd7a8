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
"""The longest list of ICE servers that is kept: every idle home keeps one. The longest in use has some 2 KiB."""


def kept(ice_servers: bytes | None) -> bytes | None:
    """Return a copy of a list of ICE servers (as JSON) to keep, None for one that is too long."""
    if ice_servers is None or len(ice_servers) > ICE_SERVERS_BYTES:
        return None
    # A copy takes only the space that it needs; bytes from orjson hold 4 KiB, however short.
    return bytes(memoryview(ice_servers))


NONE: Set[str] = frozenset()
"""One object for all homes, to save memory."""


class HomeState(Enum):
    """Where a home is."""

    LOOKED_UP = "looked up"
    """It is unknown to this node; its clients wait while other nodes are asked."""
    LOCAL = "local"
    """It is connected to this node."""
    REMOTE = "remote"
    """It is connected to another node."""
    AWAY_ELSEWHERE = "away elsewhere"
    """It was looked up, and another node expects it back."""
    AWAY = "away"
    """Its connection is gone, and it is expected back: for the grace time, or while sessions are suspended."""
    GIVEN_UP = "given up"
    """It is no longer expected, and new requests fail; parked requests still wait for it until their deadlines."""


class Home:
    """The holder of ``remote_id``: one connection at a time, or none while the home is expected back.

    Its sessions outlive a connection: what clients send while the home is away is buffered, and delivered in order when
    it is back.
    """

    __slots__ = (
        "_held_bytes",
        "_make_held_bytes",
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

    def __init__(self, remote_id: str, make_held_bytes: Callable[[], HomeBytes]) -> None:
        """``make_held_bytes`` makes the ``HomeBytes`` of a home."""
        self.remote_id = remote_id
        self.state = HomeState.LOOKED_UP
        self.connection: Connection | None = None
        """Set while the state is LOCAL or REMOTE."""
        self.former = ""
        """The ID of its last connection, by which it is recognised when nodes that lost each other meet again."""
        self.ice_servers: bytes | None = None
        """The fallback list that it registered, as JSON; None while it is away, to save memory."""
        self.askers: dict[str, ClientAddress] | None = None
        """Who has asked for it while it is being looked up, by address key, whether they still wait or not."""
        self.timer: Timer | None = None
        """In AWAY: the end of the grace time. In GIVEN_UP: after the deadline of the last parked request."""
        self.crowd: Crowd | None = None
        """Its clients' shares; None until its first session, to save memory."""
        self.are_offers_held = False
        """Offers wait while newcomers are asked for proof of its Remote ID, so that it can't answer in their place."""
        self.suspended: Set[str] = NONE
        """IDs of answered sessions in which nothing is delivered until its connection has proved itself."""
        self.shared_told_at = NEVER
        """When ``CERTIFICATE_SHARED`` was last reported for it."""
        self._make_held_bytes = make_held_bytes
        self._held_bytes: HomeBytes | None = None
        """None until its first session, to save memory."""
        self._outbox: Outbox | None = None
        """Messages that wait for it; None while there are none."""

    def connect(self, connection: Connection) -> None:
        """Make ``connection`` the holder."""
        self.stop_timer()
        self.connection = connection
        connection.remote_id = self.remote_id
        self.state = HomeState.REMOTE if connection.is_remote else HomeState.LOCAL

    def disconnect(self) -> Connection:
        """Set the state AWAY; return the connection that was the holder."""
        assert self.connection is not None
        connection, self.connection = self.connection, None
        connection.remote_id = None
        self.ice_servers = None
        self.former = connection.id
        self.state = HomeState.AWAY
        return connection

    @property
    def is_awaited_first(self) -> bool:
        """Whether it is expected back though it has not connected since this server started."""
        return self.state is HomeState.AWAY and not self.former

    @property
    def is_disputed(self) -> bool:
        """Whether its holder contends with a holder on another node, which takes precedence."""
        return self.connection is not None and self.connection.claim == self.remote_id

    def its_crowd(self) -> Crowd:
        """Return its clients' shares; they are made when first needed."""
        if self.crowd is None:
            self.crowd = Crowd()
        return self.crowd

    @property
    def held_bytes(self) -> HomeBytes:
        """Counts the bytes of clients' messages that are held for it; made when first needed."""
        if self._held_bytes is None:
            self._held_bytes = self._make_held_bytes()
        return self._held_bytes

    def asked_by(self, address: ClientAddress) -> None:
        """Remember who asked for it while it is being looked up."""
        if self.askers is None:
            self.askers = {}
        self.askers[address.key] = address

    def keep_ice_servers(self, ice_servers: bytes | None) -> None:
        """Keep a list (as JSON) as the fallback, unless it is too long."""
        self.ice_servers = kept(ice_servers)

    def forward(self, session_id: str, kind: str, payload: bytes) -> None:
        """Send a message to the home, or buffer it while it must wait. No room is needed or charged."""
        if self.connection is None or self._must_wait(session_id, kind):
            self._its_outbox().add((session_id, kind, payload))
        else:
            self.connection.forward(session_id, kind, payload)

    def client_left(self, session_id: str) -> None:
        """Tell the home that a session's client is gone."""
        self.forward(session_id, "client-disconnected", messages.client_disconnected(session_id))

    @property
    def is_congested(self) -> bool:
        """Whether its send buffer is too full for more."""
        return self.connection is not None and self.connection.peer.congested

    @property
    def is_at_hand(self) -> bool:
        """Whether any message of its clients can be sent to it, or to its node, immediately."""
        return not (
            self.connection is None
            or self._outbox is not None
            or self.suspended
            or self.are_offers_held
            or not self.connection.peer.keeps_up
        )

    def take(self, session_id: str, kind: str, payload: bytes, key: str) -> bool:
        """Send the home a message of a client at the address ``key``, or buffer it while it must wait.

        Returns False if the home is congested, or the message is beyond the client's share of the buffer.
        """
        connection = self.connection
        # The attributes are tested first for speed: as a rule nothing waits for a connected home.
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
        """Send buffered messages that need not wait any more; return the IDs of the sessions whose offers were sent."""
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
        """Forget the buffered messages of a session, except the one that tells of its end."""
        if self._outbox is not None and self._outbox.holds(session_id):
            self._outbox.forget(session_id)
            self._drop_empty_outbox()
        if self._held_bytes is not None:
            self._held_bytes.tidy()

    def forget_messages(self, of: Set[str] | None = None) -> None:
        """Forget the buffered messages of these sessions, or of all."""
        if self._outbox is not None:
            self._outbox.take(lambda session_id, _: of is None or session_id in of)
            self._drop_empty_outbox()

    def _drop_empty_outbox(self) -> None:
        if self._outbox is not None and not self._outbox.messages:
            self._outbox = None

    def _its_outbox(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(self.held_bytes)
        return self._outbox

    def _must_wait(self, session_id: str, kind: str) -> bool:
        return (
            (self.are_offers_held and kind == "offer")
            or session_id in self.suspended
            or self.is_waiting(session_id)
        )

    def stop_timer(self) -> None:
        """Cancel ``timer``."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
