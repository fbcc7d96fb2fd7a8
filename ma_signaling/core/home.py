"""A home: the holder of a Remote ID, connected or expected back."""

from __future__ import annotations

from enum import Enum

from ma_signaling.core import messages
from ma_signaling.core.connection import Connection
from ma_signaling.core.crowd import Crowd
from ma_signaling.core.peer import ClientAddress, Timer

HELD_BYTES = 256 * 1024
"""What clients may send to a home that is away."""

HELD_BYTES_IN_ALL = 32 * 1024 * 1024
"""What may be held for all homes that are away."""

ICE_SERVERS_BYTES = 8 * 1024
"""The longest list of ICE servers that is kept: the longest in use has some 2 KiB, and every idle home keeps one."""

Buffered = tuple[str, str, bytes]
"""A message to a home that is away: its session's ID, its type and payload."""


class Held:
    """How much is held for all homes together."""

    def __init__(self) -> None:
        self.bytes = 0


class HomeState(Enum):
    """Where a home is."""

    LOOKED_UP = "looked up"
    """No connection has held it, as far as this node knows: clients wait while other nodes are asked."""
    LOCAL = "local"
    """It is connected to this node."""
    REMOTE = "remote"
    """It is connected to another node."""
    AWAY = "away"
    """Its connection is gone, and it is expected back until its timer ends."""
    EVICTED = "evicted"
    """Another home got its Remote ID: its sessions wait for it until its timer ends."""


class Home:
    """Who holds ``remote_id``: one connection at a time, or none while it is expected back.

    Its sessions outlive a connection: what clients send while it is away is held, and delivered in order on its return.
    """

    __slots__ = (
        "_all_held",
        "_held",
        "_held_bytes",
        "askers",
        "connection",
        "crowd",
        "held_since",
        "ice_servers",
        "owner",
        "remote_id",
        "state",
        "timer",
    )

    def __init__(self, remote_id: str, owner: ClientAddress, now: float, all_held: Held) -> None:
        self.remote_id = remote_id
        self.owner = owner
        """Where its latest connection came from."""
        self.held_since = now
        """Since when the owner has held the Remote ID, short absences included."""
        self.state = HomeState.LOOKED_UP
        self.connection: Connection | None = None
        """While it is local or remote."""
        self.ice_servers: bytes | None = None
        """The fallback that it registered, as JSON."""
        self.askers: dict[str, ClientAddress] | None = None
        """While it is looked up: who has asked for it, whether they still wait or not."""
        self.timer: Timer | None = None
        """While it is away or evicted: the end of the grace time, unless this server is going down."""
        self.crowd: Crowd | None = None
        """Who talks to it; most homes are idle most of the time, and have none."""
        self._held: list[Buffered] = []
        self._held_bytes = 0
        self._all_held = all_held

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
        self.state = HomeState.AWAY
        return connection

    def evict(self) -> None:
        """Be evicted: it is away, and another home gets its Remote ID."""
        self.stop_timer()
        self.state = HomeState.EVICTED

    def its_crowd(self) -> Crowd:
        """Return who talks to it, to count one more."""
        if self.crowd is None:
            self.crowd = Crowd()
        return self.crowd

    def asked_by(self, address: ClientAddress) -> None:
        """Remember who has asked for it while it is looked up."""
        if self.askers is None:
            self.askers = {}
        self.askers[address.key] = address

    def keep_ice_servers(self, ice_servers: bytes | None) -> None:
        """Keep a list (as JSON) as the fallback, unless it is far too long."""
        if ice_servers is not None and len(ice_servers) <= ICE_SERVERS_BYTES:
            # A copy takes the space that it needs; what orjson writes holds 4 KiB, however short.
            self.ice_servers = bytes(memoryview(ice_servers))
        else:
            self.ice_servers = None

    def forward(self, session_id: str, kind: str, payload: bytes) -> None:
        """Send the home a message of type ``kind``, in one of its sessions; while it is away, keep the message."""
        if self.connection is not None:
            self.connection.forward(session_id, kind, payload)
        else:
            self._held.append((session_id, kind, payload))
            self._held_bytes += len(payload)
            self._all_held.bytes += len(payload)

    def client_left(self, session_id: str) -> None:
        """Tell the home that a session's client is gone."""
        self.forward(session_id, "client-disconnected", messages.client_disconnected(session_id))

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes from a client would not be too much for the home."""
        if self.connection is not None:
            return not self.connection.peer.congested
        return self._held_bytes + size <= HELD_BYTES and self._all_held.bytes + size <= HELD_BYTES_IN_ALL

    def take_held(self) -> list[Buffered]:
        """What was held, in order; it is held no longer."""
        self._all_held.bytes -= self._held_bytes
        held, self._held, self._held_bytes = self._held, [], 0
        return held

    def stop_timer(self) -> None:
        """Cancel the end of the grace time."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
